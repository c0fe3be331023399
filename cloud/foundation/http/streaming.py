"""Send the body of a streamed response: in chunks, at the speed of the client, and within limits.

Memory holds one part of the body. A stream that fails, or exceeds a limit, is cut off without the last chunk, so that
the client notices that the body is incomplete (RFC 9112 §8).
"""

import asyncio
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import structlog
from aiohttp.client_exceptions import ClientConnectionResetError

from cloud.foundation.http.client_connection import ClientConnection
from cloud.foundation.http.errors import TenantStreamsTaken, TooManyStreams
from cloud.foundation.http.problem import as_domain_error
from cloud.foundation.http.response import Streamed
from cloud.foundation.http.wire import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

STREAMS_MAX = 16
"""Streams of a process at a time. Each holds a part of some 500 kB and takes processor time as fast as its client
reads; a process serves few analysts, and many other requests."""
FIRST_STREAMS = 4
"""The last places of `STREAMS_MAX`, which only tenants without an open stream get, so that one tenant's downloads do
not keep out those of others."""
PART_S_MAX = 30.0
"""Time in which the next part is made and sent: 500 kB at 140 kbit/s."""
STREAM_S_MAX = 900.0
"""Time of a whole stream: a day of a vehicle, a million observations, takes a minute on a local network."""

log = structlog.get_logger()


class Streams:
    """The streams that a process sends at present."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def check_room(self, tenant_id: str) -> None:
        """Raise `TooManyStreams` if no further stream may begin, and `TenantStreamsTaken` if none of this tenant
        may."""
        free = STREAMS_MAX - self._open.total()
        if free <= 0:
            raise TooManyStreams
        if free <= FIRST_STREAMS and self._open[tenant_id]:
            raise TenantStreamsTaken

    def reply(
        self, head: bytes, response: Streamed, connection: ClientConnection, *, close: bool, chunked: bool
    ) -> "StreamedReply":
        """Return the reply that sends this response after its `head`."""
        sized = response.size_bytes is not None
        close = close or not (chunked or sized)
        return StreamedReply(self, head, response, connection, close=close, chunked=chunked and not sized)

    def begin(self, tenant_id: str) -> None:
        self._open[tenant_id] += 1

    def end(self, tenant_id: str) -> None:
        self._open[tenant_id] -= 1
        if not self._open[tenant_id]:
            del self._open[tenant_id]


class StreamedReply(Reply):
    """A streamed response for aiohttp's connection to send."""

    __slots__ = ("_head", "_in_chunks", "_left_bytes", "_parts", "_streams", "_tenant_id", "_to")

    def __init__(
        self,
        streams: Streams,
        head: bytes,
        response: Streamed,
        connection: ClientConnection,
        *,
        close: bool,
        chunked: bool,
    ) -> None:
        super().__init__(b"0\r\n\r\n" if chunked else b"", connection, close=close)
        self._streams = streams
        self._head = head
        self._parts = cast("AsyncGenerator[bytes]", response.parts)
        self._left_bytes = response.size_bytes
        self._tenant_id = response.tenant_id
        self._to = connection
        self._in_chunks = chunked

    async def write_eof(self, data: bytes = b"") -> None:
        connection = self._to
        self._streams.begin(self._tenant_id)
        connection.streaming = True
        try:
            async with aclosing(self._parts), asyncio.timeout(STREAM_S_MAX):
                await self._send()
        except ConnectionError:
            raise
        except Exception as error:
            log.warning("request.stream_cut_off", code=as_domain_error(error).code, error=type(error).__name__)
            if connection.transport is not None:
                connection.transport.abort()
            raise ClientConnectionResetError("the stream was cut off") from None
        finally:
            connection.streaming = False
            self._streams.end(self._tenant_id)
        await super().write_eof(data)

    async def _send(self) -> None:
        head, parts, left_bytes = self._head, self._parts, self._left_bytes
        while True:
            async with asyncio.timeout(PART_S_MAX):
                part = await anext(parts, None)
                if part is None:
                    break
                if part:
                    left_bytes = None if left_bytes is None else left_bytes - len(part)
                    await self._write(head + (b"%x\r\n%b\r\n" % (len(part), part) if self._in_chunks else part))
                    head = b""
        assert not left_bytes, "the parts of a sized stream have the size that its head announced"
        if head:
            await self._write(head)

    async def _write(self, data: bytes) -> None:
        connection = self._to
        transport = connection.transport
        if transport is None or transport.is_closing():
            raise ClientConnectionResetError("the client disconnected")
        transport.write(data)
        if connection.writing_paused:
            connection.await_client(in_progress=True)
            try:
                await connection.drain()
            finally:
                connection.serve_client()
