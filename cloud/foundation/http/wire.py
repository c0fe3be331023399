"""Render a response as bytes: status line, shared headers, framing and body.

A route's constant headers are one text, so rendering takes a third of the time of aiohttp's Response. Only this module
decides the framing, so a response to HEAD, a 204 and a 304 cannot get a body by mistake.
"""

import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError

from cloud.foundation.http.client_connection import ClientConnection
from cloud.foundation.http.response import Response, Streamed
from cloud.foundation.trace import TraceContext

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.web_request import BaseRequest

CONTRACT = "2026.4"

_ALWAYS = f"X-Argus-Contract: {CONTRACT}\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
# For data. A page sets its own policies.
_POLICY = "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
_REFERRER = "Referrer-Policy: no-referrer\r\n"
# Two years, as browsers' preload lists require.
_HSTS = "Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n"

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_BODILESS = frozenset({204, 304})


def constant_headers(*, secure: bool, sandbox: bool, more: str = "") -> str:
    """Return the header lines that every response of a host has. `more` are further lines, each ending with CRLF."""
    return _ALWAYS + (_HSTS if secure else "") + ("X-Argus-Sandbox: true\r\n" if sandbox else "") + more


NO_HOST_HEADERS = constant_headers(secure=False, sandbox=False)
"""The headers of a response that belongs to no host."""


class _Date:
    """The Date header line, rendered once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._line = ""

    def line(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second, self._line = second, f"Date: {formatdate(second, usegmt=True)}\r\n"
        return self._line


_date = _Date()


def render(
    response: Response,
    trace: TraceContext,
    constant: str,
    more: str,
    *,
    head_only: bool = False,
    close: bool = False,
    chunked: bool = True,
) -> bytes:
    """Return the bytes of a response, without the body of a streamed one. `constant` has the header lines of the route,
    `more` those of this request. `chunked` is False for a client of HTTP/1.0, for which a streamed body ends with the
    connection. Raises ValueError for a header value with a line break, a programming error."""
    body = response.body
    own = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    if own.count("\r") != len(response.headers) or own.count("\n") != len(response.headers):
        raise ValueError("a header has a line break in it")
    lines = [
        _STATUS_LINES[response.status],
        constant,
        "X-Argus-Trace-ID: ",
        trace.trace_id,
        "\r\nX-Argus-Span-ID: ",
        trace.span_id,
        "\r\n",
        _date.line(),
        own,
        more,
    ]
    if "Cache-Control" not in response.headers:
        lines.append("Cache-Control: no-store\r\n")
    if "Content-Security-Policy" not in response.headers:
        lines.append(_POLICY)
    if "Referrer-Policy" not in response.headers:
        lines.append(_REFERRER)
    if response.etag is not None:
        lines.append(f"ETag: {response.etag}\r\n")
    if response.status not in _BODILESS:
        if response.media_type is not None:
            lines.append(f"Content-Type: {response.media_type}\r\n")
        size_bytes = response.size_bytes if isinstance(response, Streamed) else len(body)
        if size_bytes is not None:
            lines.append(f"Content-Length: {size_bytes}\r\n")
        elif chunked:
            lines.append("Transfer-Encoding: chunked\r\n")
    lines.append("Connection: close\r\n\r\n" if close else "\r\n")
    head = "".join(lines).encode("latin-1", "replace")
    return head if head_only or response.status in _BODILESS else head + body


class Reply(web.StreamResponse):
    """A rendered response for aiohttp's connection to send. StreamResponse's constructor is not called, because the
    connection uses only `prepare`, `write_eof` and `keep_alive`."""

    __slots__ = ("_bytes", "_closes", "_connection")

    def __init__(self, rendered: bytes, connection: ClientConnection, *, close: bool) -> None:
        self._bytes = rendered
        self._connection = connection
        self._closes = close

    @property
    def keep_alive(self) -> bool:
        return not self._closes

    async def prepare(self, request: "BaseRequest") -> "AbstractStreamWriter | None":
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        connection = self._connection
        transport = connection.transport
        if transport is None or transport.is_closing():
            raise ClientConnectionResetError("the client has gone")
        transport.write(self._bytes)
        if connection.writing_paused:
            connection.await_client(in_progress=True)
            await connection.drain()
        connection.await_client(in_progress=self._closes)
