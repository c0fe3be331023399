"""What can be refused at the administrator's pages beside what the services refuse."""

from cloud.errors import DomainError


class WholeTenantOnly(DomainError):
    """This concerns everybody here; it is for an administrator who is not bound to one organisation."""

    code = "whole_tenant_only"
    status = 403
