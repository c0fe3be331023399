"""Errors as documents: RFC 9457 everywhere, RFC 6749 on the OAuth routes. The only place that renders one (D13, A-001).

`type` is a page under the api host, `title` names the kind, `detail` is the sentence of the error's class with what
this occurrence adds. A 503 and a 429 always say when to come back.
"""

import inspect
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from cloud.foundation.errors import DomainError
from cloud.foundation.http.answer import Answer
from cloud.foundation.http.errors import IdempotencyKeyInFlight, InternalError, OAuthError

MEDIA_TYPE = "application/problem+json"

# Something that passes by itself (a database that restarts) is worth another attempt after this.
RETRY_AFTER_S = 5

# RFC 6749 §5.2 allows these characters in error_description.
_DESCRIPTION = frozenset(chr(code) for code in range(0x20, 0x7F)) - {'"', "\\"}


def slug(code: str) -> str:
    """The last part of a problem type's address."""
    return code.replace("_", "-")


def title(code: str) -> str:
    """The kind in words: `encounter_sealed` is "Encounter sealed"."""
    return code.replace("_", " ").capitalize()


def headers_of(error: DomainError) -> dict[str, str]:
    """The headers that go with an error, whatever form it is rendered in."""
    headers = dict(getattr(error, "headers", {}))
    if error.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS) or isinstance(
        error, IdempotencyKeyInFlight
    ):
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return headers


def problem(error: DomainError, *, types_at: str, instance: str | None, trace_id: str) -> Answer:
    """The problem document of an error. `types_at`: public address of the api host; `instance`: path of the request."""
    members: Mapping[str, Any] = getattr(error, "members", {})
    document = {
        **members,
        "type": f"{types_at}/problems/{slug(error.code)}",
        "title": title(error.code),
        "status": error.status,
        "detail": error.sentence,
        "code": error.code,
        "trace_id": trace_id,
    }
    if instance is not None:
        document["instance"] = instance
    return Answer(error.status, orjson.dumps(document), MEDIA_TYPE, headers=headers_of(error))


def oauth_error(error: DomainError, *, types_at: str) -> Answer:
    """The same refusal as a client of RFC 6749 reads it."""
    if isinstance(error, OAuthError):
        code, said = error.code, error.description
    else:
        code = "invalid_request" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
        if error.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
            code = "temporarily_unavailable"
        said = error.sentence
    document = {"error": code}
    if said:
        document["error_description"] = "".join(letter if letter in _DESCRIPTION else "'" for letter in said)
    document["error_uri"] = f"{types_at}/problems/{slug(code)}"
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache", **headers_of(error)}
    return Answer(error.status, orjson.dumps(document), "application/json", headers=headers)


def told(error: Exception) -> DomainError:
    """The error that the client is told of: our own as they are, anything else without a word of its text."""
    return error if isinstance(error, DomainError) else InternalError()


def catalogue() -> Iterator[tuple[str, int, str]]:
    """Code, status and sentence of every error class of the program, for the pages behind `type`."""
    seen: set[str] = set()
    waiting = list(DomainError.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.code not in seen and kind.code != DomainError.code:
            seen.add(kind.code)
            yield kind.code, kind.status, inspect.getdoc(kind) or ""
