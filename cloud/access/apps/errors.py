"""Errors about integration apps."""

from cloud.foundation.errors import DomainError


class AppUnknown(DomainError, code="app_unknown", status=404):
    """App not found."""


class AppPublic(DomainError, code="app_public", status=409):
    """A public client has no secret."""


class GrantTypeUnknown(DomainError, code="invalid_grant_types", status=400):
    """grant_types needs at least one of authorization_code and client_credentials."""


class GraceTooLong(DomainError, code="grace_too_long", status=400):
    """The grace period of a previous secret is 0 to 168 hours."""


class RedirectUriRefused(DomainError, code="invalid_redirect_uri", status=400):
    """A redirect URI is https, without fragment, wildcard or credentials. A public client may use http on 127.0.0.1."""


class ClearanceExceeded(DomainError, code="clearance_exceeded", status=403):
    """The requested secrecy level is above the clearance of the caller."""


class GovernanceMalformed(DomainError, code="invalid_governance", status=400):
    """A governance flag has an invalid value."""
