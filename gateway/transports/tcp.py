"""Links over TCP: a listener for devices, and a client for simulated agents.

A vehicle's network loses peers without notice. So keepalive probes and a limit on unacknowledged bytes show a dead peer
in about half a minute, not after the kernel's two hours. Nagle's algorithm is off, because the response to a confirmed
report must not wait for more data.

Devices are not authenticated here: the listener belongs on the vehicle's own network or on loopback, as a setting
chooses.
"""

import asyncio
import contextlib
import socket
from typing import cast

import structlog

from gateway.transports.inbox import Inbox
from gateway.transports.link import Link

log = structlog.get_logger(__name__)

WAITING_MAX = 16
"""Maximum of connections that are not accepted yet. More are closed at once: a vehicle has a handful of devices."""

KEEPALIVE_IDLE_S = 10
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_PROBES = 3
UNANSWERED_MS_MAX = 25_000
"""Limit on unacknowledged bytes, equal to idle + interval × probes: both methods notice a dead peer after this time."""

CLOSE_FLUSH_S = 1.0
"""Time that `close` waits for the last bytes (an abort, a release) to be sent; then the connection is cut."""


class TcpLink(asyncio.Protocol):
    """A `Link` over one TCP connection."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._transport: asyncio.Transport | None = None
        self._inbox = Inbox(self._pause_reading, self._resume_reading)
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def queued_bytes(self) -> int:
        return self._inbox.queued_bytes

    @property
    def ended(self) -> bool:
        """True when the peer sends no more; received bytes may still be unread."""
        return self._inbox.ended

    @property
    def is_line(self) -> bool:
        return False

    async def receive(self) -> bytes:
        return await self._inbox.take()

    async def send(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or self._lost.done() or transport.is_closing():
            raise ConnectionResetError(f"{self.name} has ended")
        if data:
            transport.write(data)
        await self._writable.wait()
        if self._lost.done():
            raise ConnectionResetError(f"{self.name} has ended")

    async def close(self) -> None:
        if self._transport is None:
            return
        self._inbox.end()
        self._transport.close()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_FLUSH_S):
                    await asyncio.shield(self._lost)
        finally:
            self._transport.abort()

    # asyncio.Protocol, called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self.name:
            self.name = f"tcp:{_printed(transport.get_extra_info('peername'))}"
        _tune(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        self._inbox.put(data)

    def eof_received(self) -> bool:
        # Keep our half open: a peer that has finished sending may still need the response to its last report.
        self._inbox.end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._inbox.end()
        self._writable.set()
        if not self._lost.done():
            self._lost.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


class TcpListener:
    """Source (`LinkSource`) of the connections to one TCP port. Port 0 selects a free port, which `address` shows."""

    def __init__(self, host: str, port: int, *, waiting_max: int = WAITING_MAX) -> None:
        self._host = host
        self._port = port
        self._waiting_max = waiting_max
        self._waiting: asyncio.Queue[TcpLink | None] = asyncio.Queue(waiting_max + 1)
        self._server: asyncio.Server | None = None
        self._closed = False
        self.refused = 0
        """Number of connections closed because `waiting_max` were queued already."""

    @property
    def name(self) -> str:
        return f"tcp:{self._host}:{self._port}"

    @property
    def address(self) -> tuple[str, int]:
        """The listener's host and port. With port 0, the port is known once `start` has returned."""
        return self._host, self._port

    async def start(self) -> None:
        """Bind and listen, unless already listening. Raises OSError where the address cannot be used."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: _Accepted(self), self._host, self._port, backlog=self._waiting_max, reuse_address=True
            )
            self._port = self._server.sockets[0].getsockname()[1]
            log.info("tcp.listening", address=self.name)

    async def accept(self) -> Link:
        if self._closed:
            raise ConnectionAbortedError(f"{self.name} is closed")
        await self.start()
        link = await self._waiting.get()
        if link is None:
            self._waiting.put_nowait(None)  # every other pending `accept` must wake as well
            raise ConnectionAbortedError(f"{self.name} is closed")
        return link

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._server is not None:
            self._server.close()
        while not self._waiting.empty():
            link = self._waiting.get_nowait()
            if link is not None:
                await link.close()
        self._waiting.put_nowait(None)

    def offer(self, link: TcpLink) -> bool:
        """Queue a new connection for `accept`. Return False where the listener is closed or its queue is full."""
        if self._closed or self._waiting.qsize() >= self._waiting_max:
            self.refused += 1
            if self.refused.bit_count() == 1:  # each doubling: a machine that connects all day must not fill the log
                log.warning("tcp.connection_refused", address=self.name, refused=self.refused)
            return False
        self._waiting.put_nowait(link)
        return True


class _Accepted(TcpLink):
    """A connection that a listener has accepted."""

    def __init__(self, listener: TcpListener) -> None:
        super().__init__()
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self._listener.offer(self):
            cast(asyncio.Transport, transport).abort()


async def connect_tcp(host: str, port: int, *, timeout_s: float = 10.0) -> Link:
    """Connect to a listener and return the link. Raises OSError, for example TimeoutError after `timeout_s`."""
    async with asyncio.timeout(timeout_s):
        _, link = await asyncio.get_running_loop().create_connection(TcpLink, host, port)
    return link


def _tune(connection: socket.socket | None) -> None:
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Linux names; elsewhere the kernel's own times have to do.
    for option, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
        ("TCP_USER_TIMEOUT", UNANSWERED_MS_MAX),
    ):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _printed(peername: object) -> str:
    return f"{peername[0]}:{peername[1]}" if isinstance(peername, tuple) else str(peername or "peer")
