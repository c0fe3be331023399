"""One connection: what the HTTP parser refuses is answered like everything else, and slowness has an end.

aiohttp answers what it cannot parse with a bare 400 that no hook sees, and waits for a request head as long as a
client likes. Here such an answer is a problem document with trace headers (A-007), and a head has `HEAD_S_MAX` to
arrive. One look a second at all connections does that, so a request costs no timer (`server.py`).
"""

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.web_protocol import RequestHandler

from cloud.errors import DomainError
from cloud.http.errors import (
    HeadersTooLarge,
    InternalError,
    MethodNotAllowed,
    NotFound,
    RequestTooSlow,
    TargetTooLong,
    Unreadable,
)
from cloud.http.problem import problem
from cloud.http.trace import begin_trace
from cloud.http.wire import Reply, constant_headers, octets_of

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest
    from aiohttp.web_response import StreamResponse

    from cloud.http.arrival import Arrival
    from cloud.http.server import EdgeServer

LINE_OCTETS_MAX = 8190
HEADERS_MAX = 100
HEAD_OCTETS_MAX = 64 * 1024
"""All of a request's line and headers together."""
HEAD_S_MAX = 10.0
IDLE_S_MAX = 75.0
"""Between two requests of one connection; longer than the usual proxy keeps one (60 s)."""
LINGER_S = 1.0
"""After a refusal the client may still be sending; closing at once would take our answer from it."""

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) (\S{1,8190}) HTTP/1\.[01]\r?\n")
_HOST = re.compile(rb"(?im)^host:[ \t]*([^\r\n]*?)[ \t]*\r?$")


class Connection(RequestHandler):
    """aiohttp's connection with our answers to what it refuses. Made by `EdgeServer`."""

    __slots__ = ("_discarding", "_head_octets", "_refused", "_silenced", "head_began_s")

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
        """Since when a head is awaited: from the start for the first, from its first octet for the next ones."""
        self._head_octets = 0
        self._refused = b""
        self._discarding = False
        self._silenced: asyncio.Future[None] | None = None

    @property
    def server(self) -> "EdgeServer":
        """Whose connection it is."""
        return cast("EdgeServer", self._manager)

    @property
    def idle(self) -> bool:
        """Whether it waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        requests = self._request_count
        super().data_received(data)
        if self._request_count != requests:
            self.head_began_s = None
            self._head_octets = 0
            if self._messages and type(self._messages[-1][0]).__name__ == "_ErrInfo":
                self._refused = data[: LINE_OCTETS_MAX + HEAD_OCTETS_MAX]
        elif self.idle:
            if self.head_began_s is None:
                self.head_began_s = self._loop.time()
            self._head_octets += len(data)
            if self._head_octets > HEAD_OCTETS_MAX:
                self.refuse(HeadersTooLarge())

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
        super().connection_lost(exc)

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
        error = _told(exc, self._refused) if exc is not None and status < 500 else InternalError()
        if isinstance(error, MethodNotAllowed):
            error = self._method_refused(error)
        self.server.pipeline.observer.parser_refused(error.status)
        return _LastReply(self._refusal(error), self)

    def _method_refused(self, error: MethodNotAllowed) -> DomainError:
        """An unknown method in a readable line: 404 or 405 as for a known one (S-176)."""
        found, named = _REQUEST_LINE.match(self._refused), _HOST.search(self._refused)
        site = self.server.pipeline.gate.site_of(named[1].decode("latin-1") if named else "")
        if found is None or site is None:
            return Unreadable()
        row = site.table.find(found[2].decode("latin-1").partition("?")[0])
        if row is None:
            return NotFound()
        error.headers = {"Allow": ", ".join(sorted({*row[0], *(("HEAD",) if "GET" in row[0] else ())}))}
        return error

    def _refusal(self, error: DomainError) -> bytes:
        trace = begin_trace()
        pipeline = self.server.pipeline
        alone = pipeline.gate.alone
        if alone is None and (named := _HOST.search(self._refused)):
            alone = pipeline.gate.site_of(named[1].decode("latin-1"))
        answer = problem(error, types_at=pipeline.types_at, instance=None, trace_id=trace.trace_id)
        constant = constant_headers(secure=False, sandbox=False) if alone is None else alone.constant
        return octets_of(answer, trace, constant, "", close=True)


class _LastReply(Reply):
    """A refusal, after which the client gets a moment to read it before the connection ends."""

    __slots__ = ()

    def __init__(self, octets: bytes, connection: Connection) -> None:
        super().__init__(octets, connection, close=True)

    async def write_eof(self, data: bytes = b"") -> None:
        await super().write_eof(data)
        connection = cast(Connection, self._protocol)
        transport = connection.transport
        if transport is None or not transport.can_write_eof():
            return
        transport.write_eof()
        connection._silenced = connection._loop.create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await connection._silenced


def _told(exc: BaseException, refused: bytes) -> DomainError:
    """Which refusal of the parser is which problem."""
    if isinstance(exc, LineTooLong):
        line_complete = b"\n" in refused[:LINE_OCTETS_MAX] or not refused
        return HeadersTooLarge() if line_complete else TargetTooLong()
    if isinstance(exc, BadHttpMethod):
        return MethodNotAllowed() if _REQUEST_LINE.match(refused) else Unreadable()
    if "Too many headers" in str(exc):
        return HeadersTooLarge()
    return Unreadable()
