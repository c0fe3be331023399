"""Errors about tenants, organisations and vehicles."""

from cloud.foundation.errors import DomainError, PrivateError


class TenantUnknown(PrivateError, code="tenant_unknown", status=404):
    """Tenant not found."""


class OrganizationUnknown(DomainError, code="organization_unknown", status=404):
    """Organisation not found."""


class VehicleUnknown(PrivateError, code="vehicle_unknown", status=404):
    """Vehicle not found."""


class IdentifierTaken(PrivateError, code="identifier_taken", status=409):
    """This identifier is already in use. Nothing was changed."""


class NameMalformed(DomainError, code="name_malformed", status=422):
    """A name has 1 to 200 characters and is not blank."""
