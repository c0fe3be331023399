"""The response of a handler, to which the pipeline adds what all responses share, such as security headers."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

_NO_HEADERS: Mapping[str, str] = {}


class Response:
    """A response. It is `no-store` unless `headers` has a `Cache-Control`. With an `etag`, a quoted entity tag
    (`strong_etag`), the response to a GET may become a 304."""

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


class Json(Response):
    """A response with a JSON document, which may be any value that orjson can write."""

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
    """The response 201 with a new object. `location` is an absolute URL or a path of the same host."""

    __slots__ = ()

    def __init__(
        self, document: Any, *, location: str, headers: Mapping[str, str] = _NO_HEADERS, etag: str | None = None
    ) -> None:
        super().__init__(document, status=201, headers={**headers, "Location": location}, etag=etag)


class Streamed(Response):
    """A response whose body is sent in parts, as `parts` yields them. The handler has read the first part, so an error
    of the request is a problem document. A later error ends the connection before the end of the body, so that the
    client notices that the body is incomplete. `tenant_id` is the tenant whose data they are, for its share of the
    streams. With `size_bytes`, the parts have so many bytes together, which `Content-Length` announces; None: the body
    is sent in chunks."""

    __slots__ = ("parts", "size_bytes", "tenant_id")

    def __init__(
        self,
        parts: AsyncIterator[bytes],
        media_type: str,
        *,
        tenant_id: str,
        status: int = 200,
        size_bytes: int | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        etag: str | None = None,
    ) -> None:
        super().__init__(status, b"", media_type, headers=headers, etag=etag)
        self.parts = parts
        self.tenant_id = tenant_id
        self.size_bytes = size_bytes


class NoContent(Response):
    """The response 204 without a body."""

    __slots__ = ()

    def __init__(self, *, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        super().__init__(204, headers=headers)


def strong_etag(body: bytes) -> str:
    """Return the strong entity tag of a body (RFC 9110 §8.8.3, contract matrix A-135)."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
