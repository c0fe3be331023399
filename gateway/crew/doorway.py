"""Port of the crew's pages: TLS for everything, plain HTTP only for the page that offers the vehicle's authority.

A client's first byte decides: 0x16 begins a TLS handshake (RFC 8446 §5.1), a letter begins a plain request. One port
for both lets an address that was typed without `https` or read from a code lead to the right page.

A connection that has not sent its first byte, or not finished its handshake, is not yet counted by `CrewConnections`.
So their number and their time are limited here, for each address and in all. At the limit the oldest one of the address
with the most of them is closed. A handshake also costs the gateway some milliseconds, so each address has a rate of
them; a connection beyond it is closed at once, because there is no response before a handshake.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable

import structlog

from gateway.crew.shares import Rate, Rates
from gateway.transports.clock import Clock

OPENING_MAX = 64
"""Connections at one time without a completed handshake."""
ADDRESS_OPENING_MAX = 16
"""The same for one address: two browsers on one tablet open six each."""
OPENING_S_MAX = 10.0
"""Seconds until the first byte, and again until the end of the handshake."""
HANDSHAKES = Rate("handshake", burst=64, every_s=0.25)
"""Connections of one address: the pages of two browsers, opened again and again, need less than one a second."""
REPORT_EVERY_S = 60.0
"""Interval of the log line that reports refused connections."""
_TLS_HANDSHAKE = b"\x16"
_BACKLOG = 64

log = structlog.get_logger()

Factory = Callable[[], asyncio.Protocol]


class Doorway:
    """Accepts connections on one port. `secure`: makes the protocol of a TLS connection. `plain`: makes the protocol of
    a connection without TLS."""

    def __init__(self, *, secure: Factory, plain: Factory, tls: ssl.SSLContext, clock: Clock) -> None:
        self._secure = secure
        self._plain = plain
        self._tls = tls
        self._clock = clock
        self._rates = Rates(clock)
        self._refused = 0
        self._reported_at_s = -REPORT_EVERY_S
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._opening: dict[asyncio.Task[None], str] = {}

    @property
    def port(self) -> int:
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    def open(self, host: str, port: int) -> None:
        """Listen. Raises OSError when the address cannot be bound."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self._socket.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(self._socket))

    async def close(self) -> None:
        tasks = [task for task in (self._accepting, *self._opening) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listener)
            except OSError:  # the client left, or the process has no descriptor: try again soon
                await self._clock.sleep_until(self._clock.monotonic_s() + 0.1)
                continue
            if self._rates.wait_s(HANDSHAKES, peer[0]):
                connection.close()
                self._note_refused()
                continue
            task = loop.create_task(self._admit(connection))
            self._opening[task] = peer[0]
            task.add_done_callback(self._forget)
            self._make_room(peer[0])

    def _note_refused(self) -> None:
        self._refused += 1
        now_s = self._clock.monotonic_s()
        if now_s - self._reported_at_s >= REPORT_EVERY_S:
            log.warning("crew.handshakes_refused", connections=self._refused)
            self._refused, self._reported_at_s = 0, now_s

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._opening.pop(task, None)

    def _make_room(self, newcomer: str) -> None:
        """Close the oldest opening connection where a limit is exceeded."""
        counts = Counter(self._opening.values())
        if counts[newcomer] > ADDRESS_OPENING_MAX:
            crowded = newcomer
        elif len(self._opening) > OPENING_MAX:
            crowded = max(counts, key=lambda address: counts[address])
        else:
            return
        oldest = next(task for task, address in self._opening.items() if address == crowded)
        del self._opening[oldest]
        oldest.cancel()

    async def _admit(self, connection: socket.socket) -> None:
        """Read the first byte, complete the handshake, and hand the connection over to its protocol."""
        handed_over = False
        try:
            connection.setblocking(False)
            async with self._clock.timeout_at(self._clock.monotonic_s() + OPENING_S_MAX):
                first = await _peek(connection)
            if first == _TLS_HANDSHAKE:
                handed_over = True
                await asyncio.get_running_loop().connect_accepted_socket(
                    self._secure, connection, ssl=self._tls, ssl_handshake_timeout=OPENING_S_MAX
                )
            elif first:
                handed_over = True
                await asyncio.get_running_loop().connect_accepted_socket(self._plain, connection)
        except (OSError, TimeoutError):
            pass  # the client ended the handshake, or sent nothing in time
        finally:
            if not handed_over:
                connection.close()


async def _peek(connection: socket.socket) -> bytes:
    """Wait for the first byte of a connection, and return it without taking it from the connection; b"" at its end."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()

    def wake() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(connection, wake)
    try:
        await readable
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)
