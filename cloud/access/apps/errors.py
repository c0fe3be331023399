"""Errors about integration apps."""

from cloud.foundation.errors import DomainError


class AppUnknown(DomainError):
    """App not found."""

    code = "app_unknown"
    status = 404


class AppPublic(DomainError):
    """A public client has no secret."""

    code = "app_public"
    status = 409


class GrantTypeUnknown(DomainError):
    """grant_types needs at least one of authorization_code and client_credentials."""

    code = "invalid_grant_types"
    status = 400


class GraceTooLong(DomainError):
    """The grace period of a previous secret is 0 to 168 hours."""

    code = "grace_too_long"
    status = 400


class RedirectUriRefused(DomainError):
    """A redirect URI is https, without fragment, wildcard or credentials. A public client may use http on 127.0.0.1."""

    code = "invalid_redirect_uri"
    status = 400


class ClearanceExceeded(DomainError):
    """The app would have a higher clearance than the caller."""

    code = "clearance_exceeded"
    status = 403


class GovernanceMalformed(DomainError):
    """A governance flag has an invalid value."""

    code = "invalid_governance"
    status = 400
