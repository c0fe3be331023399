"""Errors as documents: RFC 9457 on most routes, RFC 6749 on the OAuth routes. Only this module renders errors.

`type` is the URL of a page on the api host, `title` the kind of problem, `detail` the error's sentence, and `errors`
has each invalid value. A 503 and a 429 always have a Retry-After (design D13, contract matrix A-001).
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from cloud.foundation.errors import DomainError, PrivateError, meaning_of
from cloud.foundation.http.errors import OAUTH_ERRORS, IdempotencyKeyInFlight, InternalError, OAuthError, Unavailable
from cloud.foundation.http.response import Response

MEDIA_TYPE = "application/problem+json"

# Seconds after which a client should retry after a temporary fault, such as a restart of the database.
RETRY_AFTER_S = 5

# RFC 6749 §5.2 allows these characters in error_description.
_DESCRIPTION = frozenset(chr(code) for code in range(0x20, 0x7F)) - {'"', "\\"}


def slug(code: str) -> str:
    """Return the last part of a problem type's URL: `encounter-sealed` for `encounter_sealed`."""
    return code.replace("_", "-")


_TITLES = {
    "cad_incident_malformed": "Invalid CAD incident id",
    "invalid_ttl": "Invalid lifetime",
    "mdc_code_malformed": "Invalid MDC code",
    "mdc_code_not_measured": "MDC code is not a measurement",
    "observed_at_out_of_range": "observed_at is out of range",
    "unit_code_malformed": "Invalid unit",
    "unit_code_mismatch": "Unit does not fit the MDC code",
    "uri_too_long": "URI too long",
    "url_malformed": "Invalid URL",
}
"""Titles of codes that do not read as a sentence."""


def title(code: str) -> str:
    """Return the title of an error code: "Encounter sealed" for `encounter_sealed`."""
    return _TITLES.get(code) or code.replace("_", " ").capitalize()


def headers_of(error: DomainError) -> dict[str, str]:
    """Return the response headers of an error, such as Retry-After. They do not depend on the format of the body."""
    headers = dict(getattr(error, "headers", {}))
    if error.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS) or isinstance(
        error, IdempotencyKeyInFlight
    ):
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return headers


def problem(error: DomainError, *, types_at: str, instance: str | None, trace_id: str) -> Response:
    """Return a problem document (RFC 9457). `types_at` is the api host's address, `instance` the path if known."""
    error = _public(error)
    members: Mapping[str, Any] = getattr(error, "members", {})
    document = {
        **members,
        "type": f"{types_at}/problems/{slug(error.code)}",
        "title": title(error.code),
        "status": error.status,
        "detail": f"{error.sentence} {error.suggestion}".rstrip(),
        "code": error.code,
        "trace_id": trace_id,
    }
    if error.mistakes:
        document["errors"] = [mistake.document() for mistake in error.mistakes]
    if instance is not None:
        document["instance"] = instance
    return Response(error.status, orjson.dumps(document), MEDIA_TYPE, headers=headers_of(error))


def oauth_error(error: DomainError, *, types_at: str) -> Response:
    """Return an error in the form of RFC 6749. `types_at` is the public address of the api host."""
    error = _public(error)
    if isinstance(error, OAuthError):
        code, description = error.code, error.description
    else:
        code = oauth_code(error.status)
        description = f"{error.sentence} {error.suggestion}".rstrip()
    document = {"error": code}
    if description:
        document["error_description"] = "".join(letter if letter in _DESCRIPTION else "'" for letter in description)
    document["error_uri"] = f"{types_at}/problems/{slug(code)}"
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache", **headers_of(error)}
    return Response(error.status, orjson.dumps(document), "application/json", headers=headers)


def oauth_code(status: int) -> str:
    """Return the code of RFC 6749 of an error that its document does not name, by the status of the error."""
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        return "temporarily_unavailable"
    return "invalid_request" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"


def as_domain_error(error: Exception) -> DomainError:
    """Return a `DomainError` unchanged. For any other exception, return an internal error without the
    exception's text."""
    return error if isinstance(error, DomainError) else InternalError()


def _public(error: DomainError) -> DomainError:
    """Replace a private error, which only the log may name, by a general error. Return other errors unchanged."""
    if not isinstance(error, PrivateError):
        return error
    return Unavailable() if error.status == HTTPStatus.SERVICE_UNAVAILABLE else InternalError()


class Kind(NamedTuple):
    """A kind of problem that API clients can meet."""

    code: str
    status: int
    meaning: str


def catalogue() -> Iterator[Kind]:
    """Yield every public kind of problem, for the pages that `type` and `error_uri` refer to."""
    seen: set[str] = set()
    queue = list(DomainError.__subclasses__())
    while queue:
        kind = queue.pop(0)
        if issubclass(kind, PrivateError):
            continue
        queue += kind.__subclasses__()
        if kind.code not in seen and kind.code != DomainError.code:
            seen.add(kind.code)
            yield Kind(kind.code, kind.status, meaning_of(kind))
    for code, (status, meaning) in OAUTH_ERRORS.items():
        if code not in seen:
            yield Kind(code, status, meaning)
