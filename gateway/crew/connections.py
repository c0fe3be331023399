"""Limits on the connections to the crew page: a client that only holds connections open cannot exhaust the gateway.

aiohttp has no limit on connections, and its idle time-out restarts with each byte of a request's head. Here each
connection has a deadline for its next complete head, and for reading a response. At the limit, a new connection
replaces one that has never signed in, so that another client in the vehicle's network cannot lock the crew out.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from aiohttp import web

from gateway.transports.clock import Clock

CONNECTIONS_MAX = 64
"""Connections at one time: ten browsers with six each, far fewer than the process has descriptors."""
ADDRESS_CONNECTIONS_MAX = 16
"""Connections of one network address: two browsers on one tablet, each with six and a live stream."""
IDLE_S_MAX = 10.0
"""Seconds until the next request's head is complete, or a response is read; a tablet in range needs less than one."""
SWEEP_EVERY_S = 1.0
"""Interval at which overdue connections are closed."""
REPORT_EVERY_S = 60.0
"""Interval of the log line that reports refused connections: at most one line a minute during an attack."""

log = structlog.get_logger()


class CrewConnection(web.RequestHandler):
    """One connection to the crew page: aiohttp's request handler, counted and limited by `CrewConnections`."""

    __slots__ = ("_connections", "address", "deadline_s", "signed_in")

    def __init__(self, connections: "CrewConnections", server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._connections = connections
        self.address = ""
        self.deadline_s: float | None = None
        """Time at which it is closed, in monotonic seconds; None while a request is served."""
        self.signed_in = False
        """True once it has carried a request of a signed-in tablet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if peer else ""
        self._connections.admit(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.forget(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Respond to bytes that are not HTTP, without quoting them and without naming the server software."""
        response = web.Response(status=status, text="This is not a request that the crew page understands.\n")
        response.headers["Server"] = "Argus"
        response.force_close()
        return response

    def abort(self) -> None:
        """Close the connection without sending further bytes."""
        if self.transport is not None:
            self.transport.abort()


class CrewConnections:
    """All connections to the page, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[CrewConnection, None] = {}
        self._addresses: Counter[str] = Counter()
        self._refused = 0
        self._reported_at_s = 0.0

    def __len__(self) -> int:
        return len(self._open)

    def factory(self, server: web.Server, **options: Any) -> Callable[[], CrewConnection]:
        """Build the protocol factory for `loop.create_server`."""
        return lambda: CrewConnection(self, server, **options)

    def admit(self, connection: CrewConnection) -> None:
        """Count a new connection. If a limit is exceeded, close a connection that has never signed in, otherwise the
        new one."""
        connection.deadline_s = self._clock.monotonic_s() + IDLE_S_MAX
        self._open[connection] = None
        self._addresses[connection.address] += 1
        crowded = self._addresses[connection.address] > ADDRESS_CONNECTIONS_MAX
        if crowded or len(self._open) > CONNECTIONS_MAX:
            self._refused += 1
            self._find_replaceable(connection, within_address=crowded).abort()

    def forget(self, connection: CrewConnection) -> None:
        if connection in self._open:
            del self._open[connection]
            self._addresses[connection.address] -= 1
            if not self._addresses[connection.address]:
                del self._addresses[connection.address]

    @contextmanager
    def serving(self, request: web.Request, *, signed_in: bool) -> Iterator[None]:
        """Suspend the connection's deadline while the block runs. After the block, the client has IDLE_S_MAX to read
        the response."""
        connection = request.protocol
        if not isinstance(connection, CrewConnection):
            yield
            return
        connection.signed_in = connection.signed_in or signed_in
        connection.deadline_s = None
        try:
            yield
        finally:
            connection.deadline_s = self._clock.monotonic_s() + IDLE_S_MAX

    def close_overdue(self) -> None:
        now_s = self._clock.monotonic_s()
        for connection in [each for each in self._open if each.deadline_s is not None and each.deadline_s <= now_s]:
            connection.abort()

    async def sweep(self) -> None:
        """Close overdue connections until cancelled, and log how many connections were closed because a limit was
        exceeded."""
        while True:
            await self._clock.sleep_until(self._clock.monotonic_s() + SWEEP_EVERY_S)
            self.close_overdue()
            if self._refused and self._clock.monotonic_s() >= self._reported_at_s + REPORT_EVERY_S:
                log.warning("crew.connections_refused", connections=self._refused)
                self._refused, self._reported_at_s = 0, self._clock.monotonic_s()

    def _find_replaceable(self, newcomer: CrewConnection, *, within_address: bool) -> CrewConnection:
        """Return the connection to close when a limit is exceeded: the oldest one that has never signed in, from the
        address with the most connections. `within_address`: choose only from the address of `newcomer`. If every other
        connection has signed in, return `newcomer`."""
        rivals = [each for each in self._open if each is not newcomer and not each.signed_in]
        if within_address:
            rivals = [each for each in rivals if each.address == newcomer.address]
        if not rivals:
            return newcomer
        return max(rivals, key=lambda each: self._addresses[each.address])
