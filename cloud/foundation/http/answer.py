"""What a handler answers: status, octets, media type, headers. Knows nothing of connections and trace ids.

Everything that all answers share (trace, limits, security headers, `Content-Length`, HEAD, 304) is added by the
pipeline; a handler says only what is its own.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

_NO_HEADERS: Mapping[str, str] = {}


class Answer:
    """A finished answer. `etag` is the quoted tag (`strong_etag`) or None; a GET is then answered conditionally.

    Unless `headers` has a `Cache-Control`, the answer is `no-store`.
    """

    __slots__ = ("body", "etag", "headers", "media_type", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        media_type: str | None = None,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        etag: str | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.media_type = media_type
        self.headers = headers
        self.etag = etag


class Json(Answer):
    """A JSON document: anything that orjson writes."""

    __slots__ = ()

    def __init__(
        self,
        document: Any,
        *,
        status: int = 200,
        headers: Mapping[str, str] = _NO_HEADERS,
        etag: str | None = None,
        media_type: str = "application/json",
    ) -> None:
        super().__init__(status, orjson.dumps(document), media_type, headers=headers, etag=etag)


class Created(Json):
    """201 with the new thing and where it can be read. `location` is absolute or a path of the same host."""

    __slots__ = ()

    def __init__(
        self, document: Any, *, location: str, headers: Mapping[str, str] = _NO_HEADERS, etag: str | None = None
    ) -> None:
        super().__init__(document, status=201, headers={**headers, "Location": location}, etag=etag)


class Octets(Answer):
    """Ready bytes of any media type."""

    __slots__ = ()

    def __init__(
        self,
        body: bytes,
        media_type: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] = _NO_HEADERS,
        etag: str | None = None,
    ) -> None:
        super().__init__(status, body, media_type, headers=headers, etag=etag)


class Text(Octets):
    """Plain text in UTF-8."""

    __slots__ = ()

    def __init__(self, text: str, *, status: int = 200, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        super().__init__(text.encode(), "text/plain; charset=utf-8", status=status, headers=headers)


class NoContent(Answer):
    """204: done, nothing to say."""

    __slots__ = ()

    def __init__(self, *, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        super().__init__(204, headers=headers)


def strong_etag(octets: bytes) -> str:
    """The entity tag of these very octets (RFC 9110 §8.8.3, A-135)."""
    return f'"{hashlib.sha256(octets).hexdigest()[:32]}"'
