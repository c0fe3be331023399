"""A client's connection: a head must arrive within `HEAD_S_MAX`, and unparsable bytes get a problem document.

The server examines all connections once a second, so that a request needs no timer.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from aiohttp import StreamReader
from aiohttp.web_server import Server

from cloud.foundation.errors import DomainError
from cloud.foundation.http.aiohttp_internals import AiohttpConnection
from cloud.foundation.http.body_room import BodyRoom
from cloud.foundation.http.errors import BodyBroken, HeadersTooLarge, Overloaded, RequestTooSlow
from cloud.foundation.http.heads import HEAD_BYTES_MAX, HEADERS_MAX, LINE_BYTES_MAX, RefusedHead
from cloud.foundation.http.incoming_request import IncomingRequest
from cloud.foundation.http.places import Places
from cloud.foundation.http.rates import address_class
from cloud.foundation.http.refusals import Refusals
from cloud.foundation.http.wire import Reply

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest
    from aiohttp.web_response import StreamResponse

HEAD_S_MAX = 10.0
"""Time limit of a request head: even a modem sends 64 KiB in this time, and a head is usually a few packets."""
IDLE_S_MAX = 75.0
"""Time limit between two requests of a connection. Most proxies keep an idle connection for less (60 s)."""
LINGER_S = 1.0
"""Time after a refusal in which the client may still send: an immediate close would discard the unread response."""


class Connection(AiohttpConnection):
    """A client's connection, with our error responses and limits. All connections share `places`, the list of
    connections that wait for their clients, and `body_room`, the limit of memory for unfinished bodies."""

    __slots__ = (
        "_body",
        "_body_room",
        "_carried_bytes_max",
        "_discarding",
        "_head_bytes",
        "_places",
        "_refusals",
        "_refused",
        "_silenced",
        "address",
        "head_began_s",
        "large_reads",
        "peer_address",
        "streaming",
    )

    def __init__(
        self,
        server: Server,
        places: Places["Connection"],
        body_room: BodyRoom["Connection"],
        refusals: Refusals,
        *,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=IDLE_S_MAX,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=LINE_BYTES_MAX,
            max_headers=HEADERS_MAX,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # None is what switches it off
            lingering_time=LINGER_S,
        )
        self._places = places
        self._body_room = body_room
        self._refusals = refusals
        self.head_began_s: float | None = loop.time()
        """Start of a head's time limit: the connection's start or, later, the first byte. None: no head is awaited."""
        self._head_bytes = 0
        self._carried_bytes_max = 0
        """Size of the last read that ended a head or was part of a body. It may contain the beginning of a head."""
        self._body: StreamReader | None = None
        """Body of the last request whose head was read."""
        self._refused = RefusedHead()
        self._discarding = False
        self.large_reads = False
        """True after a read so large that a head in it may exceed its limit. From then on heads are measured."""
        self.streaming = False
        """True while a streamed body is sent, which has its own limit of time."""
        self.peer_address = "-"
        self.address = "-"
        """Class of the peer's address (`address_class`)."""
        self._silenced: asyncio.Future[None] | None = None

    @property
    def ending(self) -> bool:
        """True if no further request is read, so that the next response is the last one."""
        return self.is_closing or self._discarding

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple) and peer:
            self.peer_address = str(peer[0])
            self.address = address_class(self.peer_address)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        size = len(data)
        before = self._body
        in_body = before is not None and not before.is_eof()
        if size + self._head_bytes + self._carried_bytes_max > HEAD_BYTES_MAX:
            self.large_reads = True
            if not in_body and self._head_is_too_large(data):
                self._refuse_head()
                return
        parsed_count = self.parsed_count
        super().data_received(data)
        if self.parsed_count != parsed_count:
            self.head_began_s = None
            self._head_bytes = 0
            self._carried_bytes_max = size
            newest = self.newest_parsed()
            if newest is not None:
                self._body = newest.body
                if newest.refused:
                    self._take_refusal(data, before)
        elif in_body:
            self._carried_bytes_max = size
        elif size:
            if self.head_began_s is None:
                self.head_began_s = self.loop.time()
            self._head_bytes += size

    def _take_refusal(self, data: bytes, before: "StreamReader | None") -> None:
        """Handle `data` that the parser refused. If `before`, the body of the previous request, is not complete, `data`
        is a part of that body, and reading the body fails. Otherwise `data` is a request head."""
        if before is None or before.is_eof():
            self._refused = RefusedHead(data)
            return
        # The handler that reads the body gets the error, and its response is the last one.
        self.drop_newest_parsed()
        before.set_exception(BodyBroken())
        before.feed_eof()
        self._discarding = True
        self.close()

    def _head_is_too_large(self, data: bytes) -> bool:
        """Return whether the head that is arriving exceeds its size limit when `data` is added."""
        room = HEAD_BYTES_MAX - self._head_bytes
        return len(data) > room and data.find(b"\r\n\r\n", 0, room) < 0

    def _refuse_head(self) -> None:
        if self.idle:
            self.refuse(HeadersTooLarge())
        else:  # a request is being served: its response is the last one
            self._discarding = True
            self.close()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio keeps the transport open for True
        """Stop reading. Return True if a request is complete and its response is still to be sent, otherwise False."""
        self._end_silence()
        request = cast("IncomingRequest | None", self.current_request)
        if self._discarding or request is None or not request.payload.is_eof():
            return False
        self.close()
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        self._end_silence()
        if not self.is_lost:
            self._places.leave(self)
            self._body_room.release(self, self.address)
        super().connection_lost(exc)

    def await_client(self, *, in_progress: bool) -> None:
        """Record that the server waits for the client, so the connection may be closed to make room for a new client.
        `in_progress` is True when the client must send a body or read a response, False before its next request."""
        if not self.is_lost and self.transport is not None:
            self._places.wait(self, self.address, in_progress=in_progress)

    def serve_client(self) -> None:
        """Record that a request is being served, so that the connection is not closed for a new client."""
        if not self.is_lost:
            self._places.serve(self)

    def hold_body(self, count: int) -> None:
        """Count bytes of the current body against the memory for unfinished bodies (`body_room`)."""
        if not self.is_lost:
            self._body_room.take(self, self.address, count)

    def release_body(self) -> None:
        """Stop counting the current body, because it is complete or refused."""
        if not self.is_lost:
            self._body_room.release(self, self.address)

    def give_way(self) -> None:
        """End the connection at once, for lack of connections or memory. If a request has begun to arrive, a 503 is
        sent first. But if an earlier response is still unread, no 503 is sent."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if self._discarding or transport.get_write_buffer_size():
            transport.abort()  # its client has an unread response already
            return
        self._discarding = True
        if self._head_bytes or self.is_responding:
            transport.write(self._refusals.render(Overloaded(), self._refused))
        self.force_close()

    def refuse(self, error: DomainError) -> None:
        """Send an error for bytes that are not a request, and end the connection."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        self._discarding = True
        transport.write(self._refusals.render(error, self._refused))
        if transport.can_write_eof():
            transport.write_eof()
        self.loop.call_later(LINGER_S, self.force_close)

    def expire(self, now_s: float) -> None:
        """End the connection if a request head has not arrived within `HEAD_S_MAX`. Called once a second."""
        began_s = self.head_began_s
        if began_s is None or now_s - began_s < HEAD_S_MAX or not self.idle or self._discarding:
            return
        if self._head_bytes:
            self.refuse(RequestTooSlow())
        else:
            self.force_close()  # no request, so no response: browsers open connections in advance

    def handle_error(
        self, request: "BaseRequest", status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> "StreamResponse":
        """Return the error response to a request that the parser refused or whose handling failed. aiohttp calls it."""
        self._discarding = True
        return _LastReply(self._refusals.render_parser_error(exc, self._refused, ours=status >= 500), self)

    async def await_silence(self) -> None:
        """Close the server's sending side, and wait up to `LINGER_S` until the client closes its sending side."""
        transport = self.transport
        if transport is None or not transport.can_write_eof():
            return
        transport.write_eof()
        self._silenced = self.loop.create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await self._silenced

    def _end_silence(self) -> None:
        if self._silenced is not None and not self._silenced.done():
            self._silenced.set_result(None)


class _LastReply(Reply):
    """An error response that ends the connection. The client first gets time to read the response."""

    __slots__ = ("_ending",)

    def __init__(self, rendered: bytes, connection: Connection) -> None:
        super().__init__(rendered, connection, close=True)
        self._ending = connection

    async def write_eof(self, data: bytes = b"") -> None:
        await super().write_eof(data)
        await self._ending.await_silence()
