"""What the mechanism itself refuses, before or beside a slice's own errors. The docstring is what the client reads."""

from collections.abc import Mapping
from typing import Any

from cloud.foundation.errors import DomainError


class Refused(DomainError):
    """The request cannot be done."""

    def __init__(
        self, detail: str = "", *, headers: Mapping[str, str] | None = None, members: Mapping[str, Any] | None = None
    ) -> None:
        """`headers` go with the answer; `members` stand at the top level of the problem document (A-001)."""
        super().__init__(detail)
        self.headers = headers or {}
        self.members = members or {}


class NotFound(Refused):
    """There is nothing at this address."""

    code = "not_found"
    status = 404


class MethodNotAllowed(Refused):
    """This address does not know that method; the Allow header names those that it knows."""

    code = "method_not_allowed"
    status = 405


class Misdirected(Refused):
    """This server has no host of that name."""

    code = "misdirected_request"
    status = 421


class TokenMissing(Refused):
    """This address needs an access token: send it as Authorization: Bearer, see /v1/oauth/token on the auth host."""

    code = "token_missing"
    status = 401


class InvalidToken(Refused):
    """The access token is not valid: it is malformed, expired, revoked or meant for somebody else. Get a new one."""

    code = "invalid_token"
    status = 401


class WrongEnvironment(Refused):
    """A sandbox token works on the sandbox host only, and a live token on the live hosts only."""

    code = "wrong_environment"
    status = 403


class InsufficientScope(Refused):
    """The access token lacks a scope that this address needs; the WWW-Authenticate header names it."""

    code = "insufficient_scope"
    status = 403


class OrganizationRequired(Refused):
    """This address belongs to an organisation, and the access token names none."""

    code = "organization_required"
    status = 403


class TenantMismatch(Refused):
    """X-Tenant-ID names another tenant than the access token; leave it out, or send the token's own."""

    code = "tenant_mismatch"
    status = 403


class TooManyRequests(Refused):
    """More requests than this limit allows; wait as long as Retry-After says."""

    code = "rate_limited"
    status = 429


class HeaderMalformed(Refused):
    """A header of the request cannot be used."""

    code = "invalid_header"
    status = 400


class QueryMalformed(Refused):
    """The query cannot be used."""

    code = "invalid_query"
    status = 400


class InvalidCursor(Refused):
    """The cursor is not one of this listing; begin without it."""

    code = "invalid_cursor"
    status = 400


class BodyMalformed(Refused):
    """The body cannot be used."""

    code = "invalid_body"
    status = 400


class BodyBroken(Refused):
    """The transfer coding of the body is broken, or the connection ended before the body was whole. Send it again."""

    code = "body_incomplete"
    status = 400


class BodyTooLarge(Refused):
    """The body is larger than this address takes."""

    code = "body_too_large"
    status = 413


class TargetTooLong(Refused):
    """The address is longer than this server takes."""

    code = "uri_too_long"
    status = 414


class MediaTypeUnsupported(Refused):
    """The body's Content-Type is not one that this address reads."""

    code = "unsupported_media_type"
    status = 415


class ExpectationFailed(Refused):
    """Only Expect: 100-continue is known here."""

    code = "expectation_failed"
    status = 417


class HeadersTooLarge(Refused):
    """The request has more or longer headers than this server takes."""

    code = "headers_too_large"
    status = 431


class Unreadable(Refused):
    """This is not an HTTP request that can be read without guessing."""

    code = "bad_request"
    status = 400


class RequestTooSlow(Refused):
    """The request did not arrive in time."""

    code = "request_timeout"
    status = 408


class PreconditionFailed(Refused):
    """The resource has changed since the version that If-Match names; read it again."""

    code = "precondition_failed"
    status = 412


class Sunset(Refused):
    """This address was retired; its documentation names what replaces it."""

    code = "gone"
    status = 410


class IdempotencyKeyMalformed(Refused):
    """An Idempotency-Key is 1 to 255 visible ASCII characters, bare or in double quotes."""

    code = "invalid_idempotency_key"
    status = 400


class IdempotencyKeyReused(Refused):
    """This Idempotency-Key was used for another request in the last 24 hours; take a new one."""

    code = "idempotency_key_reused"
    status = 422


class IdempotencyKeyInFlight(Refused):
    """The first request with this Idempotency-Key is still being worked on; ask again shortly."""

    code = "idempotency_key_in_flight"
    status = 409


class TookTooLong(Refused):
    """The request took too long and was given up; try again, with a smaller request where there is one."""

    code = "took_too_long"
    status = 503


class Overloaded(Refused):
    """The server has as many connections as it takes; try again shortly."""

    code = "overloaded"
    status = 503


class InternalError(Refused):
    """Something went wrong on our side; it has been recorded. Tell support the trace id."""

    code = "internal_error"
    status = 500


class OAuthError(DomainError):
    """The token request cannot be done."""

    def __init__(
        self, error: str, description: str = "", *, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        """`error` is a code of RFC 6749 §5.2 or §4.1.2.1; `description` has only characters that it allows."""
        super().__init__(description)
        self.code = error
        self.description = description
        self.status = status
        self.headers = headers or {}
