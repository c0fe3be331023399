"""Trace every byte of every link for `argus-gateway capture`, while a capture client listens.

A client that does not read fast enough is disconnected and notified, because a capture with a hole would be replayed as
if the device had sent it that way. The bytes are patient data: they go only to the control socket (0600).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.transports.link import Direction

_WAITING_BYTES_MAX = 8 << 20
"""Maximum number of bytes queued for one capture client: some seconds of the busiest links."""


@dataclass(frozen=True, slots=True)
class Traced:
    """One read or write of a link. `connection`: number of the link in this run of the gateway, from 1. `at_s`:
    monotonic. `attribute`: service and characteristic of a GATT value; None for the bytes of a stream."""

    link: str
    connection: int
    direction: Direction
    data: bytes
    at_s: float
    attribute: tuple[int, int] | None = None


class Tap:
    """Queue of traced bytes for one capture client. Iteration ends when the client reads too slowly (`overrun` is then
    True). `link`: the link to trace; None for all links."""

    def __init__(self, link: str | None) -> None:
        self.overrun = False
        self._link = link
        self._waiting: deque[Traced] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()

    def put(self, traced: Traced) -> None:
        if self.overrun or (self._link is not None and self._link != traced.link):
            return
        self._waiting_bytes += len(traced.data)
        self.overrun = self._waiting_bytes > _WAITING_BYTES_MAX
        self._waiting.append(traced)
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[Traced]:
        while not self.overrun:
            while self._waiting and not self.overrun:
                traced = self._waiting.popleft()
                self._waiting_bytes -= len(traced.data)
                yield traced
            self._wake.clear()
            if not self._waiting and not self.overrun:
                await self._wake.wait()


class Taps:
    """The queues of all capture clients of this gateway."""

    def __init__(self) -> None:
        self._taps: set[Tap] = set()

    @property
    def listeners(self) -> int:
        return len(self._taps)

    @contextmanager
    def open(self, link: str | None = None) -> Iterator[Tap]:
        """Yield a new queue of traced bytes of one link, and remove it afterwards. `link` None: all links."""
        tap = Tap(link)
        self._taps.add(tap)
        try:
            yield tap
        finally:
            self._taps.discard(tap)

    def trace(
        self,
        link: str,
        connection: int,
        direction: Direction,
        data: bytes,
        at_s: float,
        attribute: tuple[int, int] | None = None,
    ) -> None:
        for tap in self._taps:
            tap.put(Traced(link, connection, direction, data, at_s, attribute))
