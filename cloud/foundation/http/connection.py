"""One connection: what the HTTP parser refuses is answered like everything else, and slowness has an end.

aiohttp answers what it cannot parse with a bare 400 that no hook sees, and waits for a request head as long as a
client likes. Here such an answer is a problem document with trace headers (A-007), and a head has `HEAD_S_MAX` to
arrive. One look a second at all connections does that, so a request costs no timer (`server.py`).
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.web_protocol import RequestHandler

from cloud.foundation.errors import DomainError
from cloud.foundation.http.errors import (
    BodyBroken,
    HeadersTooLarge,
    InternalError,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RequestTooSlow,
    TargetTooLong,
    Unreadable,
)
from cloud.foundation.http.heads import HEAD_OCTETS_MAX, HEADERS_MAX, LINE_OCTETS_MAX, RefusedHead
from cloud.foundation.http.problem import problem
from cloud.foundation.http.rates import address_class
from cloud.foundation.http.trace import begin_trace
from cloud.foundation.http.wire import Reply, constant_headers, octets_of

if TYPE_CHECKING:
    from aiohttp.streams import StreamReader
    from aiohttp.web_request import BaseRequest
    from aiohttp.web_response import StreamResponse

    from cloud.foundation.http.arrival import Arrival
    from cloud.foundation.http.server import EdgeServer

HEAD_S_MAX = 10.0
"""A head is a few packets: even a modem sends 64 KiB of it in this time."""
IDLE_S_MAX = 75.0
"""Between two requests of one connection; longer than the usual proxy keeps one (60 s)."""
LINGER_S = 1.0
"""After a refusal the client may still be sending; closing at once would take our answer from it."""


class Connection(RequestHandler):
    """aiohttp's connection with our answers to what it refuses. Made by `EdgeServer`."""

    __slots__ = (
        "_body",
        "_carried_bytes_max",
        "_discarding",
        "_head_octets",
        "_refused",
        "_silenced",
        "address",
        "head_began_s",
        "large_reads",
    )

    def __init__(self, server: "EdgeServer", *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=IDLE_S_MAX,
            max_line_size=LINE_OCTETS_MAX,
            max_field_size=LINE_OCTETS_MAX,
            max_headers=HEADERS_MAX,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # None is what switches it off
            lingering_time=LINGER_S,
        )
        self.head_began_s: float | None = loop.time()
        """Since when a head is awaited: from the start for the first, from its first byte for the next ones."""
        self._head_octets = 0
        self._carried_bytes_max = 0
        """Greatest number of bytes of a head that one read can have brought together with earlier bytes."""
        self._body: StreamReader | None = None
        """Body of the last request whose head was read."""
        self._refused = RefusedHead()
        self._discarding = False
        self.large_reads = False
        """Whether so much has come at once that a head in it may be beyond its limit, so that heads are measured."""
        self.address = "-"
        """Class of the peer's address (`address_class`)."""
        self._silenced: asyncio.Future[None] | None = None

    @property
    def server(self) -> "EdgeServer":
        """Whose connection it is."""
        return cast("EdgeServer", self._manager)

    @property
    def ending(self) -> bool:
        """Whether nothing more is read from it, so that the next answer is its last."""
        return self._close or self._discarding

    @property
    def idle(self) -> bool:
        """Whether it waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple) and peer:
            self.address = address_class(str(peer[0]))
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        size = len(data)
        before = self._body
        in_body = before is not None and not before.is_eof()
        if size + self._head_octets + self._carried_bytes_max > HEAD_OCTETS_MAX:
            self.large_reads = True
            if not in_body and self._head_is_too_large(data):
                self._refuse_head()
                return
        requests = self._request_count
        super().data_received(data)
        if self._request_count != requests:
            self.head_began_s = None
            self._head_octets = 0
            self._carried_bytes_max = size
            if self._messages:
                last, self._body = self._messages[-1]
                if type(last).__name__ == "_ErrInfo":
                    self._take_refusal(data, before)
        elif in_body:
            self._carried_bytes_max = size
        elif size:
            if self.head_began_s is None:
                self.head_began_s = self._loop.time()
            self._head_octets += size

    def _take_refusal(self, data: bytes, before: "StreamReader | None") -> None:
        """The parser refuses `data`: a head, or the body `before` of a request that it has handed over."""
        if before is None or before.is_eof():
            self._refused = RefusedHead(data)
            return
        # The body's reader waits for the rest, and the request gets the answer.
        self._messages.pop()
        before.set_exception(BodyBroken())
        before.feed_eof()
        self._discarding = True
        self.close()

    def _head_is_too_large(self, data: bytes) -> bool:
        """Whether a head that is being received goes on beyond its limit with `data`."""
        room = HEAD_OCTETS_MAX - self._head_octets
        return len(data) > room and data.find(b"\r\n\r\n", 0, room) < 0

    def _refuse_head(self) -> None:
        if self.idle:
            self.refuse(HeadersTooLarge())
        else:  # behind a request that is being answered: that answer is the last one
            self._discarding = True
            self.close()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio keeps the transport open for True
        """The client will send no more. Whoever has sent a whole request still gets its answer."""
        if self._silenced is not None and not self._silenced.done():
            self._silenced.set_result(None)
        arrival = cast("Arrival | None", self._current_request)
        if self._discarding or arrival is None or not arrival.payload.is_eof():
            return False
        self.close()
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._silenced is not None and not self._silenced.done():
            self._silenced.set_result(None)
        if self._manager is not None:
            self.server.places.leave(self)
            self.server.body_room.release(self, self.address)
        super().connection_lost(exc)

    def await_client(self, *, in_progress: bool) -> None:
        """The client's turn: what happens next on this connection is for it to decide (`places`)."""
        if self._manager is not None and self.transport is not None:
            self.server.places.wait(self, self.address, in_progress=in_progress)

    def serve_client(self) -> None:
        """Mark the connection as served by us, so that it does not give way to another one."""
        if self._manager is not None:
            self.server.places.serve(self)

    def hold_body(self, count: int) -> None:
        """Count bytes of the current body that have arrived (`body_room`)."""
        if self._manager is not None:
            self.server.body_room.take(self, self.address, count)

    def release_body(self) -> None:
        """Release the room of the current body, which is whole or refused."""
        if self._manager is not None:
            self.server.body_room.release(self, self.address)

    def give_way(self) -> None:
        """End at once, for want of places or memory. A request that has begun to arrive is answered."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if self._discarding or transport.get_write_buffer_size():
            transport.abort()  # its client has an answer of ours to read already
            return
        self._discarding = True
        if self._head_octets or self._request_in_progress:
            transport.write(self._refusal(Overloaded()))
        self.force_close()

    def refuse(self, error: DomainError) -> None:
        """Answer a connection whose request never became one, and end it."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        self._discarding = True
        transport.write(self._refusal(error))
        if transport.can_write_eof():
            transport.write_eof()
        self._loop.call_later(LINGER_S, self.force_close)

    def expire(self, now_s: float) -> None:
        """Called once a second: end the wait for a head that does not come."""
        began_s = self.head_began_s
        if began_s is None or now_s - began_s < HEAD_S_MAX or not self.idle or self._discarding:
            return
        if self._head_octets:
            self.refuse(RequestTooSlow())
        else:
            self.force_close()  # nothing was asked, so nothing is answered: browsers open connections in advance

    def handle_error(
        self,
        request: "BaseRequest",
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> "StreamResponse":
        """The answer to what the parser refuses. Its own words are not passed on: they quote what came."""
        self._discarding = True
        error = self._public_error(exc) if exc is not None and status < 500 else InternalError()
        if isinstance(error, MethodNotAllowed):
            error = self._method_refused(error)
        self.server.pipeline.observer.parser_refused(error.status)
        return _LastReply(self._refusal(error), self)

    def _method_refused(self, error: MethodNotAllowed) -> DomainError:
        """An unknown method in a readable line: 404 or 405 as for a known one (S-176)."""
        line = self._refused.request_line()
        site = self.server.pipeline.gate.site_of(self._refused.host())
        if line is None or site is None:
            return Unreadable()
        row = site.table.find(line.target.partition("?")[0])
        if row is None:
            return NotFound()
        error.headers = {"Allow": ", ".join(sorted({*row[0], *(("HEAD",) if "GET" in row[0] else ())}))}
        return error

    def _refusal(self, error: DomainError) -> bytes:
        trace = begin_trace()
        pipeline = self.server.pipeline
        alone = pipeline.gate.alone
        if alone is None:
            alone = pipeline.gate.site_of(self._refused.host())
        answer = problem(error, types_at=pipeline.types_at, instance=None, trace_id=trace.trace_id)
        constant = constant_headers(secure=False, sandbox=False) if alone is None else alone.constant
        return octets_of(answer, trace, constant, "", close=True)

    def _public_error(self, exc: BaseException) -> DomainError:
        """Which refusal of the parser is which problem."""
        if isinstance(exc, LineTooLong):
            return TargetTooLong() if self._refused.line_is_too_long else HeadersTooLarge()
        if isinstance(exc, BadHttpMethod):
            return Unreadable() if self._refused.request_line() is None else MethodNotAllowed()
        if "Too many headers" in str(exc):
            return HeadersTooLarge()
        return Unreadable()


class _LastReply(Reply):
    """A refusal, after which the client gets a moment to read it before the connection ends."""

    __slots__ = ()

    def __init__(self, octets: bytes, connection: Connection) -> None:
        super().__init__(octets, connection, close=True)

    async def write_eof(self, data: bytes = b"") -> None:
        await super().write_eof(data)
        connection = self._protocol
        transport = connection.transport
        if transport is None or not transport.can_write_eof():
            return
        transport.write_eof()
        connection._silenced = connection._loop.create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await connection._silenced
