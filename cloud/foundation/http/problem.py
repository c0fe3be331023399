"""Errors as documents: RFC 9457 everywhere, RFC 6749 on the OAuth routes. Only this module renders errors (D13, A-001).

`type` is a page under the api host, `title` names the kind, `detail` is the sentence of the error's class with the
detail of this occurrence, and `errors` names each invalid value. A 503 and a 429 always have a Retry-After.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from cloud.foundation.errors import DomainError, PrivateError, meaning_of
from cloud.foundation.http.errors import OAUTH_ERRORS, IdempotencyKeyInFlight, InternalError, OAuthError, Unavailable
from cloud.foundation.http.response import Response

MEDIA_TYPE = "application/problem+json"

# Seconds after which a temporary fault (a database that restarts) is worth another attempt.
RETRY_AFTER_S = 5

# RFC 6749 §5.2 allows these characters in error_description.
_DESCRIPTION = frozenset(chr(code) for code in range(0x20, 0x7F)) - {'"', "\\"}


def slug(code: str) -> str:
    """Return the last part of a problem type's address."""
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
    """Return the kind in words: `encounter_sealed` is "Encounter sealed"."""
    return _TITLES.get(code) or code.replace("_", " ").capitalize()


def headers_of(error: DomainError) -> dict[str, str]:
    """Return the headers of an error, whatever form it is rendered in."""
    headers = dict(getattr(error, "headers", {}))
    if error.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS) or isinstance(
        error, IdempotencyKeyInFlight
    ):
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return headers


def problem(error: DomainError, *, types_at: str, instance: str | None, trace_id: str) -> Response:
    """Return the problem document of an error. `types_at`: public address of the api host; `instance`: path of the
    request."""
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
    """Return the same error in the form of RFC 6749."""
    error = _public(error)
    if isinstance(error, OAuthError):
        code, description = error.code, error.description
    else:
        code = "invalid_request" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
        if error.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
            code = "temporarily_unavailable"
        description = f"{error.sentence} {error.suggestion}".rstrip()
    document = {"error": code}
    if description:
        document["error_description"] = "".join(letter if letter in _DESCRIPTION else "'" for letter in description)
    document["error_uri"] = f"{types_at}/problems/{slug(code)}"
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache", **headers_of(error)}
    return Response(error.status, orjson.dumps(document), "application/json", headers=headers)


def as_domain_error(error: Exception) -> DomainError:
    """Return our own errors unchanged, and any other as an internal error without any of its text."""
    return error if isinstance(error, DomainError) else InternalError()


def _public(error: DomainError) -> DomainError:
    """Replace a private error for API clients by a general one: only the log names it."""
    if not isinstance(error, PrivateError):
        return error
    return Unavailable() if error.status == HTTPStatus.SERVICE_UNAVAILABLE else InternalError()


class Kind(NamedTuple):
    """A public kind of problem."""

    code: str
    status: int
    meaning: str


def catalogue() -> Iterator[Kind]:
    """List every public kind of problem of the program, for the pages behind `type` and `error_uri`."""
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
