"""Errors about tenants, organisations and vehicles."""

from cloud.foundation.errors import DomainError, PrivateError


class TenantUnknown(PrivateError):
    """Tenant not found."""

    code = "tenant_unknown"
    status = 404


class OrganizationUnknown(DomainError):
    """Organisation not found."""

    code = "organization_unknown"
    status = 404


class VehicleUnknown(PrivateError):
    """Vehicle not found."""

    code = "vehicle_unknown"
    status = 404


class IdentifierTaken(PrivateError):
    """This identifier is already in use. Nothing was changed."""

    code = "identifier_taken"
    status = 409


class NameMalformed(DomainError):
    """A name has 1 to 200 characters and is not blank."""

    code = "name_malformed"
    status = 422
