"""Collect the waveforms of many groups into one, so that an object has the batches of many vehicles.

Numerics and events are written at once, and do not wait for an object. If the object store is slow, waveforms beyond
`BACKLOG_BYTES_MAX` are let go: their gateways get no acknowledgement and resend them.
"""

import asyncio
from collections import deque
from typing import Generic, Protocol, TypeVar

BACKLOG_BYTES_MAX = 32 << 20
"""Bytes of opened waveforms that are queued: four full objects, half of what the source holds for all gateways
(`IngestSettings.queue_bytes_max`), so that events and numerics always have room."""


class Collected(Protocol):
    """A group of deliveries."""

    @property
    def envelope_bytes(self) -> int: ...

    @property
    def observations(self) -> int: ...


G = TypeVar("G", bound=Collected)


class WaveformQueue(Generic[G]):
    """A queue of groups that are written together. `wait_s` is the time for which a group waits for others."""

    def __init__(self, *, wait_s: float, bytes_most: int, observations_most: int) -> None:
        self._wait_s = wait_s
        self._bytes_most = bytes_most
        self._observations_most = observations_most
        self._groups: deque[G] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()

    def put(self, group: G) -> bool:
        """Queue a group. Return False if the queue is full."""
        if self._groups and self._bytes + group.envelope_bytes > BACKLOG_BYTES_MAX:
            return False
        self._groups.append(group)
        self._bytes += group.envelope_bytes
        self._arrived.set()
        if self._bytes >= self._bytes_most:
            self._full.set()
        return True

    async def take(self) -> list[G]:
        """Wait for a group, then for others until `wait_s` has passed or an object is full; return them."""
        await self._arrived.wait()
        try:
            async with asyncio.timeout(self._wait_s):
                await self._full.wait()
        except TimeoutError:
            pass
        taken: list[G] = []
        size = observations = 0
        while self._groups and (not taken or (size < self._bytes_most and observations < self._observations_most)):
            group = self._groups.popleft()
            taken.append(group)
            size += group.envelope_bytes
            observations += group.observations
        self._bytes -= size
        if not self._groups:
            self._arrived.clear()
        if self._bytes < self._bytes_most:
            self._full.clear()
        return taken
