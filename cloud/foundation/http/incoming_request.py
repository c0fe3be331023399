"""A request as the connection delivers it, with a reader for its body that limits size and time.

The class replaces aiohttp's request: it parses less for every request, and accepts a target that is not a URL.
"""

import asyncio

from aiohttp import StreamReader
from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDictProxy

from cloud.foundation.http.aiohttp_internals import AiohttpRequest
from cloud.foundation.http.client_connection import ClientConnection
from cloud.foundation.http.errors import BodyBroken, BodyTooLarge, ExpectationFailed, RequestTooSlow
from cloud.foundation.http.heads import measure_head

BODY_BYTES_MAX = 1024 * 1024
"""The contract's mebibyte; the largest body in the contract (ten thousand profile ids) has a third of that."""
BODY_S_MAX = 30.0
"""Time limit for a body, after which the request gets 408. It allows a mebibyte at 280 kbit/s."""


class IncomingRequest(AiohttpRequest):
    """A request whose head was read. Its body may still be arriving."""

    __slots__ = (
        "close",
        "connection",
        "head_bytes",
        "headers",
        "method",
        "payload",
        "target",
        "version_1_1",
        "versionless",
    )

    def __init__(self, message: RawRequestMessage, payload: StreamReader, connection: ClientConnection) -> None:
        self.method: str = message.method
        self.target: str = message.path
        self.headers: CIMultiDictProxy[str] = message.headers
        self.head_bytes = measure_head(message) if connection.large_reads else 0
        self.version_1_1 = message.version >= (1, 1)
        # The parser reads a line without a version as HTTP/0.9, which has no headers and gets none of our responses.
        self.versionless = message.version < (1, 0)
        # An HTTP/1.0 connection ends with its response: clients that still use it send few requests.
        self.close: bool = message.should_close or not self.version_1_1
        self.payload = payload
        self.connection = connection

    def fail_body(self, exc: BaseException) -> None:
        self.payload.set_exception(exc)

    async def body(self, bytes_max: int = BODY_BYTES_MAX) -> bytes:
        """Read the whole body. Raises `BodyTooLarge`, `BodyBroken`, `RequestTooSlow`, `ExpectationFailed`."""
        length = self.headers.get("Content-Length")
        if length is not None and int(length) > bytes_max:
            raise BodyTooLarge(f"(At most {bytes_max} bytes.)")
        payload = self.payload
        if payload.is_eof():  # the usual case: head and body arrived together
            body = payload.read_nowait(-1)
        else:
            self._continue()
            try:
                async with asyncio.timeout(BODY_S_MAX):
                    body = await self._gather(bytes_max)
            except TimeoutError:
                raise RequestTooSlow from None
            except (ConnectionError, HttpProcessingError, ClientPayloadError):
                raise BodyBroken from None
        if len(body) > bytes_max:
            raise BodyTooLarge(f"(At most {bytes_max} bytes.)")
        return body

    async def _gather(self, bytes_max: int) -> bytes:
        gathered = bytearray()
        connection = self.connection
        connection.await_client(in_progress=True)
        try:
            while not self.payload.at_eof():
                part = await self.payload.readany()
                gathered += part
                if len(gathered) > bytes_max:
                    raise BodyTooLarge(f"(At most {bytes_max} bytes.)")
                connection.hold_body(len(part))
        finally:
            connection.release_body()
            connection.serve_client()
        return bytes(gathered)

    def _continue(self) -> None:
        """Send 100 Continue if expected (RFC 9110 §10.1.1). Raises `ExpectationFailed` for any other expectation."""
        expected = self.headers.get("Expect")
        if expected is None or not self.version_1_1:
            return
        if expected.lower() != "100-continue":
            raise ExpectationFailed
        transport = self.connection.transport
        if transport is not None:
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
