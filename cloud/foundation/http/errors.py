"""Errors of HTTP itself; each slice of the cloud defines further errors. The docstring of an error class is the text
that the client receives.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cloud.foundation.errors import DomainError, Mistake


class Refused(DomainError):
    """The request cannot be processed."""

    def __init__(
        self,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
        mistakes: Sequence[Mistake] = (),
    ) -> None:
        """`headers` are sent with the response; `members` are added to the top level of the problem
        document (A-001)."""
        super().__init__(detail, mistakes=mistakes)
        self.headers = headers or {}
        self.members = members or {}


class NotFound(Refused, code="not_found", status=404):
    """There is no resource at this address."""


class MethodNotAllowed(Refused, code="method_not_allowed", status=405):
    """Method not allowed. The Allow header lists the methods of this address."""


class Misdirected(Refused, code="misdirected_request", status=421):
    """This server does not serve the requested host."""


class TokenMissing(Refused, code="token_missing", status=401):
    """An access token is required: send Authorization: Bearer. Get one at /v1/oauth/token on the auth host."""


class InvalidToken(Refused, code="invalid_token", status=401):
    """The access token is malformed, expired or revoked, or its audience is another host. Request a new one with the
    scopes that this address needs: the scopes determine the audience."""


class WrongEnvironment(Refused, code="wrong_environment", status=403):
    """A sandbox token is valid on the sandbox host only, and a live token on the live hosts only."""


class InsufficientScope(Refused, code="insufficient_scope", status=403):
    """The access token lacks a scope that this address needs. The WWW-Authenticate header names it."""


class OrganizationRequired(Refused, code="organization_required", status=403):
    """This address needs an access token with an organisation."""


class TenantMismatch(Refused, code="tenant_mismatch", status=403):
    """X-Tenant-ID differs from the tenant of the access token. Omit it, or send the token's tenant."""


class TooManyRequests(Refused, code="rate_limited", status=429):
    """Rate limit exceeded. Wait for the seconds in Retry-After."""


class HeaderMalformed(Refused, code="invalid_header", status=400):
    """A request header is invalid."""


class QueryMalformed(Refused, code="invalid_query", status=400):
    """The query is invalid."""


class InvalidCursor(Refused, code="invalid_cursor", status=400):
    """The cursor does not belong to this listing. Start without a cursor."""


class BodyMalformed(Refused, code="invalid_body", status=400):
    """The body is invalid."""


class BodyBroken(Refused, code="body_incomplete", status=400):
    """The transfer coding of the body is invalid, or the connection ended before the end of the body. Send it again."""


class BodyTooLarge(Refused, code="body_too_large", status=413):
    """The body is larger than the limit of this address."""


class TargetTooLong(Refused, code="uri_too_long", status=414):
    """The request target is longer than the limit of this server."""


class MediaTypeUnsupported(Refused, code="unsupported_media_type", status=415):
    """This address does not accept the Content-Type of the body."""


class ExpectationFailed(Refused, code="expectation_failed", status=417):
    """Expect supports 100-continue only."""


class HeadersTooLarge(Refused, code="headers_too_large", status=431):
    """The request headers are larger or more than the limits of this server."""


class Unreadable(Refused, code="bad_request", status=400):
    """The request is not valid HTTP."""


class RequestTooSlow(Refused, code="request_timeout", status=408):
    """The request did not arrive in time."""


class PreconditionFailed(Refused, code="precondition_failed", status=412):
    """The resource has changed since the version in If-Match. Read it again."""


class Sunset(Refused, code="gone", status=410):
    """This address was retired. Its documentation names the successor."""


class IdempotencyKeyMalformed(Refused, code="invalid_idempotency_key", status=400):
    """An Idempotency-Key is 1 to 255 visible ASCII characters, bare or in double quotes."""


class IdempotencyKeyReused(Refused, code="idempotency_key_reused", status=422):
    """This Idempotency-Key was used for another request in the last 24 hours. Use a new key."""


class IdempotencyKeyInFlight(Refused, code="idempotency_key_in_flight", status=409):
    """The first request with this Idempotency-Key is in progress. Retry shortly."""


class TookTooLong(Refused, code="took_too_long", status=503):
    """The request took too long and was cancelled. Try again, if possible with a smaller request."""


class Overloaded(Refused, code="overloaded", status=503):
    """The server is at its limit of connections. Try again shortly."""


class TooManyStreams(Refused, code="too_many_streams", status=503):
    """Too many streams are open. Try again shortly, or read in pages of JSON."""


class TenantStreamsTaken(Refused, code="tenant_streams_taken", status=429):
    """Your tenant has streams or downloads open, and the last places are for other tenants. Try again when one of them
    has ended."""


class InternalError(Refused, code="internal_error", status=500):
    """An internal error occurred and was recorded. Quote the trace id to support."""


class Unavailable(Refused, code="unavailable", status=503):
    """The service cannot do this at the moment, and its log has the reason. Try again later."""


OAUTH_ERRORS: Mapping[str, tuple[int, str]] = {
    "access_denied": (403, "The person or the service denied the request."),
    "invalid_client": (401, "The client is unknown or its secret is wrong."),
    "invalid_grant": (400, "The code is unknown, used, expired or was issued for another request."),
    "invalid_request": (400, "The request is malformed, lacks a parameter or repeats one."),
    "invalid_scope": (400, "A scope is unknown or not approved for this client."),
    "request_not_supported": (400, "Send the parameters in the query: request objects are not supported."),
    "server_error": (500, "An internal error occurred and was recorded. Try again later."),
    "temporarily_unavailable": (503, "The server cannot process the request at the moment. Retry after Retry-After."),
    "unauthorized_client": (400, "This client may not use this grant."),
    "unsupported_grant_type": (400, "Use authorization_code or client_credentials."),
    "unsupported_response_type": (400, "Use response_type=code."),
}
"""Errors of RFC 6749 §5.2 and §4.1.2.1 and OpenID Connect Core §3.1.2.6, each with its status and its meaning, which
the page at `error_uri` shows. `OAuthError` accepts no others."""


class OAuthError(DomainError):
    """The token request cannot be processed."""

    def __init__(
        self, error: str, description: str = "", *, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        """`error` is one of `OAUTH_ERRORS`; `description` has only characters that RFC 6749 allows."""
        if error not in OAUTH_ERRORS:
            raise ValueError(f"{error} has no row in OAUTH_ERRORS")
        super().__init__(description)
        self.code = error
        self.description = description
        self.status = status
        self.headers = headers or {}
