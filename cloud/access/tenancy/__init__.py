"""Tenants, organisations and vehicles."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import IdKind, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.access.tenancy.errors import IdentifierTaken, OrganizationUnknown, TenantUnknown, VehicleUnknown
    from cloud.access.tenancy.model import Organization, Tenant, Vehicle
    from cloud.access.tenancy.service import Tenancy, checked_name
    from cloud.access.tenancy.store import TenancyStore
else:
    __getattr__ = lazy_exports(__name__)

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
