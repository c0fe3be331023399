"""Tenants, organisations and vehicles, and who is looking at what they own."""

from cloud.tenancy.errors import IdentifierTaken, OrganizationUnknown, TenantUnknown, VehicleUnknown
from cloud.tenancy.model import Organization, Tenant, Vehicle
from cloud.tenancy.service import Tenancy, checked_name
from cloud.tenancy.store import TenancyStore
from cloud.tenancy.viewer import SecrecyLevel, Viewer, visible

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
