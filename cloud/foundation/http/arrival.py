"""A request as the connection hands it over, and the reading of its body within limits of size and time.

Our own small class instead of aiohttp's request: it is made for every request, it needs none of the parsing that the
other does, and it cannot fail on a target that is no URL.
"""

import asyncio
from typing import TYPE_CHECKING

from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDictProxy

from cloud.foundation.http.errors import BodyBroken, BodyTooLarge, ExpectationFailed, RequestTooSlow
from cloud.foundation.http.heads import measure_head

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

    from cloud.foundation.http.connection import Connection

BODY_OCTETS_MAX = 1024 * 1024
"""The contract's mebibyte; the largest body that it describes (ten thousand profile ids) has a third of that."""
BODY_S_MAX = 30.0
"""A body that is not whole after this time is refused with 408, however fast its head was: a mebibyte at 280 kbit/s."""


class Arrival:
    """One request: its line, its headers, and a body that may still be on its way."""

    __slots__ = (
        "_task",
        "close",
        "head_bytes",
        "headers",
        "method",
        "payload",
        "protocol",
        "target",
        "version_1_1",
        "versionless",
        "writer",
    )

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: "Connection",
        writer: "AbstractStreamWriter",
        task: "asyncio.Task[None] | None",
    ) -> None:
        self.method: str = message.method
        self.target: str = message.path
        self.headers: CIMultiDictProxy[str] = message.headers
        self.head_bytes = measure_head(message) if protocol.large_reads else 0
        self.version_1_1 = message.version >= (1, 1)
        # The parser takes a line without a version for HTTP/0.9, which has no headers and gets none of our answers.
        self.versionless = message.version < (1, 0)
        # HTTP/1.0 connections end with their answer: what still speaks it asks seldom.
        self.close: bool = message.should_close or not self.version_1_1
        self.payload = payload
        self.protocol = protocol
        self.writer = writer
        self._task = task

    def _cancel(self, exc: BaseException) -> None:
        """Called by the connection when it is lost: whoever waits for the body learns of it."""
        self.payload.set_exception(exc)

    def _finish(self) -> None:
        """Called by the connection when the answer is ready; we keep nothing."""

    async def body(self, octets_max: int = BODY_OCTETS_MAX) -> bytes:
        """The whole body. Raises `BodyTooLarge`, `BodyBroken`, `RequestTooSlow`, `ExpectationFailed`."""
        length = self.headers.get("Content-Length")
        if length is not None and int(length) > octets_max:
            raise BodyTooLarge(f"(At most {octets_max} bytes.)")
        payload = self.payload
        if payload.is_eof():  # the usual case: head and body came together
            body = payload.read_nowait(-1)
        else:
            self._continue()
            try:
                async with asyncio.timeout(BODY_S_MAX):
                    body = await self._gathered(octets_max)
            except TimeoutError:
                raise RequestTooSlow from None
            except (ConnectionError, HttpProcessingError, ClientPayloadError):
                raise BodyBroken from None
        if len(body) > octets_max:
            raise BodyTooLarge(f"(At most {octets_max} bytes.)")
        return body

    async def _gathered(self, octets_max: int) -> bytes:
        gathered = bytearray()
        connection = self.protocol
        connection.await_client(in_progress=True)
        try:
            while not self.payload.at_eof():
                part = await self.payload.readany()
                gathered += part
                if len(gathered) > octets_max:
                    raise BodyTooLarge(f"(At most {octets_max} bytes.)")
                connection.hold_body(len(part))
        finally:
            connection.release_body()
            connection.serve_client()
        return bytes(gathered)

    def _continue(self) -> None:
        """Tell a client that waits for it that its body is wanted (RFC 9110 §10.1.1)."""
        expected = self.headers.get("Expect")
        if expected is None or not self.version_1_1:
            return
        if expected.lower() != "100-continue":
            raise ExpectationFailed
        transport = self.protocol.transport
        if transport is not None:
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
