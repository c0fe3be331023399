"""Send requests over one GATT link, one at a time, and trace every byte for captures.

ATT allows one outstanding request, and stacks reject a second one with "in progress". A value is traced as it was sent,
with its service and characteristic: without these its bytes mean nothing, and a capture could not be replayed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.sessions.tracing import Taps
from gateway.transports.ble.connection import Arrival, BleConnection
from gateway.transports.clock import Clock
from gateway.transports.link import Direction


@dataclass(frozen=True, slots=True)
class ReadValue:
    """A value that was read. The device sent it between the monotonic times of the request and of the response."""

    octets: bytes
    asked_s: float
    answered_s: float


class GattRequests:
    """The requests of one link. `number` is the number of the link in this run of the gateway."""

    def __init__(self, link: BleConnection, number: int, clock: Clock, taps: Taps) -> None:
        self.last_byte_s = clock.monotonic_s()
        """Monotonic time at which the device last sent anything."""
        self._link = link
        self._number = number
        self._clock = clock
        self._taps = taps
        self._turn = asyncio.Lock()

    async def read(self, service: int, characteristic: int) -> ReadValue:
        async with self._turn:
            asked_s = self._clock.monotonic_s()
            octets = await self._link.read(service, characteristic)
            answered_s = self._clock.monotonic_s()
        self._show("received", service, characteristic, octets, answered_s)
        return ReadValue(octets, asked_s, answered_s)

    async def write(self, service: int, characteristic: int, octets: bytes) -> float:
        """Write a value, after earlier requests have ended. Return the monotonic time of the response."""
        async with self._turn:
            self._show("sent", service, characteristic, octets, self._clock.monotonic_s())
            await self._link.write(service, characteristic, octets)
            return self._clock.monotonic_s()

    async def subscribe(self, service: int, characteristic: int) -> None:
        async with self._turn:
            await self._link.subscribe(service, characteristic)

    async def arrivals(self) -> Sequence[Arrival]:
        return self._shown(await self._link.arrivals())

    def pending(self) -> Sequence[Arrival]:
        return self._shown(self._link.pending())

    def _shown(self, arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
        if arrivals:
            self.last_byte_s = max(self.last_byte_s, arrivals[-1].received_s)
            if self._taps.listeners:
                for service, characteristic, octets, received_s in arrivals:
                    self._taps.trace(
                        self._link.name, self._number, "received", octets, received_s, (service, characteristic)
                    )
        return arrivals

    def _show(self, direction: Direction, service: int, characteristic: int, octets: bytes, at_s: float) -> None:
        if direction == "received":
            self.last_byte_s = max(self.last_byte_s, at_s)
        self._taps.trace(self._link.name, self._number, direction, octets, at_s, (service, characteristic))
