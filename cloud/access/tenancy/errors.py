"""What can be refused about tenants, organisations and vehicles."""

from cloud.foundation.errors import DomainError


class TenantUnknown(DomainError):
    """There is no such tenant."""

    code = "tenant_unknown"
    status = 404


class OrganizationUnknown(DomainError):
    """There is no such organisation."""

    code = "organization_unknown"
    status = 404


class VehicleUnknown(DomainError):
    """There is no such vehicle."""

    code = "vehicle_unknown"
    status = 404


class IdentifierTaken(DomainError):
    """This identifier is already in use; nothing was changed."""

    code = "identifier_taken"
    status = 409


class NameMalformed(DomainError):
    """A name has 1 to 200 characters, and not only spaces."""

    code = "name_malformed"
    status = 422
