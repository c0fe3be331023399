"""Tenants, organisations and vehicles."""

# mypy: implicit-reexport
from cloud.access.tenancy.errors import IdentifierTaken, OrganizationUnknown, TenantUnknown, VehicleUnknown
from cloud.access.tenancy.model import Organization, Tenant, Vehicle
from cloud.access.tenancy.service import Tenancy, checked_name
from cloud.access.tenancy.store import TenancyStore
from cloud.foundation.slice import IdKind, Slice

SLICE = Slice(
    package=__name__,
    ids={
        "tenant": IdKind("tenant", "tenants"),
        "organization": IdKind("organisation", "organizations"),
        "vehicle": IdKind("vehicle", "vehicles"),
    },
    tables="tables",
    commands={"tenants": "cli:tenants", "organizations": "cli:organizations", "vehicles": "cli:vehicles"},
)
