"""What can be refused about integration apps."""

from cloud.foundation.errors import DomainError


class AppUnknown(DomainError):
    """There is no such app."""

    code = "app_unknown"
    status = 404


class AppPublic(DomainError):
    """A public client has no secret."""

    code = "app_public"
    status = 409


class GrantTypeUnknown(DomainError):
    """A grant type is authorization_code or client_credentials, and an app has at least one."""

    code = "invalid_grant_types"
    status = 400


class GraceTooLong(DomainError):
    """A previous secret may go on working for 0 to 168 hours."""

    code = "grace_too_long"
    status = 400


class RedirectUriRefused(DomainError):
    """A redirect URI is https without fragment, wildcard or credentials; a public client may use http on 127.0.0.1."""

    code = "invalid_redirect_uri"
    status = 400


class ClearanceExceeded(DomainError):
    """An app may not see more than whoever registers it."""

    code = "clearance_exceeded"
    status = 403


class GovernanceMalformed(DomainError):
    """A governance flag has a value that it cannot have."""

    code = "invalid_governance"
    status = 400
