"""One connection: a request that the HTTP parser refuses gets a normal response, and slow requests are limited.

aiohttp responds to an unparsable request with a bare 400 that no hook sees, and waits for a request head without a
limit. Here such a refusal is a problem document (`refusals`), and a head must arrive within `HEAD_S_MAX`. The server
examines all connections once a second, so a request costs no timer.
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
"""A head is a few packets: even a modem sends 64 KiB of it in this time."""
IDLE_S_MAX = 75.0
"""Idle time between two requests of one connection; longer than the usual proxy keeps one (60 s)."""
LINGER_S = 1.0
"""Time after a refusal in which the client may still send: an immediate close would discard the unread response."""


class Connection(AiohttpConnection):
    """The connection of aiohttp with our refusals and limits. Its server makes it and shares `places` and
    `body_room`."""

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
        """Time since when a head is awaited: from the start for the first, from its first byte for the next ones."""
        self._head_bytes = 0
        self._carried_bytes_max = 0
        """Greatest number of bytes of a head that one read can have received together with earlier bytes."""
        self._body: StreamReader | None = None
        """Body of the last request whose head was read."""
        self._refused = RefusedHead()
        self._discarding = False
        self.large_reads = False
        """True after a read so large that a head in it may exceed its limit, so that heads are measured."""
        self.peer_address = "-"
        self.address = "-"
        """Class of the peer's address (`address_class`)."""
        self._silenced: asyncio.Future[None] | None = None

    @property
    def ending(self) -> bool:
        """True if no more requests are read, so that the next response is the last one."""
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
        """Handle the parser's refusal of `data`: a head, or the body `before` of a request that it has delivered."""
        if before is None or before.is_eof():
            self._refused = RefusedHead(data)
            return
        # The body's reader waits for the rest, and the request gets the response.
        self.drop_newest_parsed()
        before.set_exception(BodyBroken())
        before.feed_eof()
        self._discarding = True
        self.close()

    def _head_is_too_large(self, data: bytes) -> bool:
        """Return whether a head that is being received exceeds its limit with `data`."""
        room = HEAD_BYTES_MAX - self._head_bytes
        return len(data) > room and data.find(b"\r\n\r\n", 0, room) < 0

    def _refuse_head(self) -> None:
        if self.idle:
            self.refuse(HeadersTooLarge())
        else:  # a request is being served: its response is the last one
            self._discarding = True
            self.close()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio keeps the transport open for True
        """End the reading. A client that has sent a whole request still gets its response."""
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
        """Mark the connection as one that waits for its client (`places`)."""
        if not self.is_lost and self.transport is not None:
            self._places.wait(self, self.address, in_progress=in_progress)

    def serve_client(self) -> None:
        """Mark the connection as being served, so that it does not give way to another one."""
        if not self.is_lost:
            self._places.serve(self)

    def hold_body(self, count: int) -> None:
        """Count bytes of the current body that have arrived (`body_room`)."""
        if not self.is_lost:
            self._body_room.take(self, self.address, count)

    def release_body(self) -> None:
        """Release the room of the current body, which is complete or refused."""
        if not self.is_lost:
            self._body_room.release(self, self.address)

    def give_way(self) -> None:
        """End at once, for lack of places or memory. A request that has begun to arrive gets a response."""
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
        """Refuse the received bytes, which are not a request, and end the connection."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        self._discarding = True
        transport.write(self._refusals.render(error, self._refused))
        if transport.can_write_eof():
            transport.write_eof()
        self.loop.call_later(LINGER_S, self.force_close)

    def expire(self, now_s: float) -> None:
        """End the wait for a head that does not arrive. Called once a second."""
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
        """Return the response to a request that the parser refuses."""
        self._discarding = True
        return _LastReply(self._refusals.render_parser_error(exc, self._refused, ours=status >= 500), self)

    async def await_silence(self) -> None:
        """End our half of the connection, and wait up to `LINGER_S` until the client ends its own half."""
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
    """A refusal, after which the client gets time to read it before the connection ends."""

    __slots__ = ("_ending",)

    def __init__(self, rendered: bytes, connection: Connection) -> None:
        super().__init__(rendered, connection, close=True)
        self._ending = connection

    async def write_eof(self, data: bytes = b"") -> None:
        await super().write_eof(data)
        await self._ending.await_silence()
