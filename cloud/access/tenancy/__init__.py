"""Tenants, organisations and vehicles, and who is looking at what they own."""

from cloud.access.tenancy.errors import IdentifierTaken, OrganizationUnknown, TenantUnknown, VehicleUnknown
from cloud.access.tenancy.model import Organization, Tenant, Vehicle
from cloud.access.tenancy.service import Tenancy, checked_name
from cloud.access.tenancy.store import TenancyStore
from cloud.access.tenancy.viewer import SecrecyLevel, Viewer, visible

__all__ = [
    "IdentifierTaken",
    "Organization",
    "OrganizationUnknown",
    "SecrecyLevel",
    "Tenancy",
    "TenancyStore",
    "Tenant",
    "TenantUnknown",
    "Vehicle",
    "VehicleUnknown",
    "Viewer",
    "checked_name",
    "visible",
]
