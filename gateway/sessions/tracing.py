"""Traces every byte of every link for `argus-gateway capture`, while a client listens.

It costs one empty loop per read while none does. A listener that does not keep up is cut off and notified, because a
capture with a hole would be replayed as if the device had sent it. Bytes are patient data: they go only to the control
socket (0600).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.transports.link import Direction

_WAITING_BYTES_MAX = 8 << 20
"""Maximum of bytes queued for one listener: some seconds of the busiest links."""


@dataclass(frozen=True, slots=True)
class Traced:
    """One traced read. `connection` numbers the links of this run of the gateway, from 1; `at_s` is monotonic.
    `attribute`: service and characteristic of a GATT value, None where the bytes are a stretch of a stream."""

    link: str
    connection: int
    direction: Direction
    data: bytes
    at_s: float
    attribute: tuple[int, int] | None = None


class Tap:
    """One listener. Iterate it; it ends when it was too slow (`overrun`)."""

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
    """All listeners of this gateway."""

    def __init__(self) -> None:
        self._taps: set[Tap] = set()

    @property
    def listeners(self) -> int:
        """The number of listeners now."""
        return len(self._taps)

    @contextmanager
    def open(self, link: str | None = None) -> Iterator[Tap]:
        """Open a listener on one link. `link` None: all links."""
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
