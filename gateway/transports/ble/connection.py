"""One GATT link to one device: requests with a time limit, and the values that the device sends by itself, in order.

The callback of a subscription only puts the value into a bounded queue, with the time of its arrival: a stack calls it
in the middle of its own work, and whatever it does there delays the next notification (misbehaviour 11: at a high rate
a stack drops values that are not taken). Values that find the queue full are counted, so that the loss can be recorded.

**A link that does not respond is over.** After an ATT time-out no further request may be sent on that link (Core, Vol 3
Part F, 3.3.3), a hanging `start_notify` never returns (19), and a stack may for ever report a link that a dead daemon
held (7, 15). So a request that runs out of time ends the link, and so does the adapter's watch when the adapter has
disappeared (`end`); pending requests then end with `BleLost` at once.

**Every link has its own client, and every client is disconnected** (1): BlueZ renews the subscriptions of a client's
earlier D-Bus connection when the device returns, so its notifications would arrive twice, and before this gateway has
subscribed. The stack has confirmed values that arrive between the end and the disconnection, so they are queued like
everything before (`pending`). Values that arrive after the disconnection, or for a characteristic that was not
subscribed here, are dropped.

`sessions/gatt/session` decides what to read or to subscribe, `central` whether to connect again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

import structlog
from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakGATTProtocolError

from gateway.transports.ble.calls import Calls
from gateway.transports.ble.faults import BleGattError, BleLost, FaultKind, TableFault, fault_of
from gateway.transports.clock import Clock
from protocols.ble.uuids import short_uuid

ARRIVALS_MAX = 4096
"""Maximum of queued arrivals, at most 512 bytes each (Core, Vol 3 Part F, 3.2.9), so 2 MB a device: two seconds at the
highest rate that is supported."""
REQUEST_S = 10.0
"""Time limit of a request. ATT allows 30 s. A device that needs more than this in a vehicle is out of range."""
DISCONNECT_S = 12.0
"""Time limit of a disconnection. bleak waits 10 s for the stack's confirmation; BlueZ lingers for 2 s on purpose."""

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Arrival(NamedTuple):
    """A notification or indication. UUIDs are the SIG's 16-bit numbers; `received_s` is monotonic."""

    service: int
    characteristic: int
    octets: bytes
    received_s: float


class BleConnection:
    """A link made by `BleCentral.connect`. Its owner must call `close` in the end, whatever happened; `async with`
    does."""

    def __init__(
        self, address: str, clock: Clock, *, request_s: float = REQUEST_S, arrivals_max: int = ARRIVALS_MAX
    ) -> None:
        self.address = address
        self.name = f"ble:{address}"
        self.bonded = False
        """True when the stack holds keys: the link is encrypted with them before any attribute is read."""
        self.ended = asyncio.Event()
        self.why = ""
        """The reason that it ended, in words."""
        self.dropped = 0
        """Number of arrivals that found the queue full. They are lost."""
        self.arrived = 0
        """Number of arrivals that were queued."""
        self.unanswered = False
        """True when it ended because a request got no response in time."""
        self.opened_s = self.last_arrival_s = clock.monotonic_s()
        """Time of opening, monotonic. `last_arrival_s` is `opened_s` until something has come."""
        self.ended_s = self.opened_s
        """Time of the end, monotonic; valid once it has ended."""
        self._clock = clock
        self._request_s = request_s
        self._arrivals_max = arrivals_max
        self._queue: deque[Arrival] = deque()
        self._some = asyncio.Event()
        self._client: BleakClient | None = None
        self._opening = False
        self._characteristics: dict[tuple[int, int], BleakGATTCharacteristic] = {}
        self._services: tuple[int, ...] = ()
        self._subscribed: set[tuple[int, int]] = set()
        self._calls = Calls(self.name, clock)
        self._closing = asyncio.Lock()
        self._disconnected = False
        self._closed: list[Callable[[BleConnection], Awaitable[None]]] = []

    async def open(self, client: BleakClient, connect_s: float) -> None:
        """Connect and read the table of services. Raises the stack's errors, and `TableFault` for an empty table (13: a
        stack may report that the services are resolved before it shows any)."""
        self._client = client
        self._opening = True
        try:
            await self._calls.attempt(connect_s, client.connect())
        finally:
            self._opening = False
        if not client.is_connected:
            self.end("the link broke as soon as it was made")
            raise BleLost(self.why)
        found: dict[tuple[int, int], BleakGATTCharacteristic] = {}
        services: list[int] = []
        for service in client.services:
            short = short_uuid(service.uuid)
            if short is None:
                continue
            services.append(short)
            for characteristic in service.characteristics:
                number = short_uuid(characteristic.uuid)
                if number is not None:
                    # Of two alike the first counts; no supported service may be there twice.
                    found.setdefault((short, number), characteristic)
        if not found:
            raise TableFault("it showed no services")
        self._characteristics, self._services = found, tuple(dict.fromkeys(services))
        self.opened_s = self.last_arrival_s = self._clock.monotonic_s()

    def has(self, service: int, characteristic: int | None = None) -> bool:
        """Return whether the device shows the service, and the characteristic where one is given."""
        if characteristic is None:
            return service in self._services
        return (service, characteristic) in self._characteristics

    def properties(self, service: int, characteristic: int) -> frozenset[str]:
        """Return the properties of a characteristic as the device states them, in bleak's words: "read", "write",
        "notify", "indicate" …"""
        which = self._characteristics.get((service, characteristic))
        return frozenset() if which is None else frozenset(which.properties)

    def services(self) -> tuple[int, ...]:
        """Return the SIG's services that the device shows, in its order."""
        return self._services

    async def read(self, service: int, characteristic: int) -> bytes:
        """Read a characteristic. Raises BleGattError where the device refuses, BleLost where the link is over.

        BlueZ also notifies subscribers of a value that is read: read first, subscribe then.
        """
        which = self._which(service, characteristic)
        return bytes(await self._request(f"reading 0x{characteristic:04X}", lambda it: it.read_gatt_char(which)))

    async def write(self, service: int, characteristic: int, octets: bytes) -> None:
        """Write a characteristic, with a response where it supports one. Raises as `read`."""
        which = self._which(service, characteristic)
        answered = "write" in which.properties
        await self._request(
            f"writing 0x{characteristic:04X}", lambda it: it.write_gatt_char(which, octets, response=answered)
        )

    async def subscribe(self, service: int, characteristic: int) -> None:
        """Subscribe to notifications or indications. A value that the device sends meanwhile may be lost (10) or arrive
        before this returns: request afterwards what must not be missed. Subscribing again does nothing. Raises as
        `read`."""
        key = (service, characteristic)
        if key in self._subscribed:
            return
        which = self._which(service, characteristic)
        self._subscribed.add(key)
        receive = partial(self._received, service, characteristic)
        try:
            await self._request(
                # StartNotify, bleak's default, also where a device has AcquireNotify (9).
                f"subscribing to 0x{characteristic:04X}",
                lambda it: it.start_notify(which, receive),
            )
        except BleGattError:
            self._subscribed.discard(key)
            raise

    async def pair(self, limit_s: float) -> str:
        """Make a bond, with an operator's help where it needs one. Return the address by which the stack knows the
        device from now on: one that hides behind changing addresses has revealed its own. Raises the stack's errors."""
        client = self._client
        if self.ended.is_set() or client is None:
            raise BleLost(self.why or "there is no link")
        await self._calls.within(limit_s, client.pair())
        return client.address.upper()

    async def arrivals(self) -> Sequence[Arrival]:
        """Wait for the first arrival and return all that are queued, in order. Return () once the link has ended and
        all were returned. One receiver; safe to cancel."""
        while not self._queue and not self.ended.is_set():
            self._some.clear()
            await self._some.wait()
        taken = tuple(self._queue)
        self._queue.clear()
        return taken

    def pending(self) -> Sequence[Arrival]:
        """Return the queued arrivals at once, in order; also after the end."""
        taken = tuple(self._queue)
        self._queue.clear()
        return taken

    def end(self, why: str) -> None:
        """End the link: pending calls end now. The first reason counts. `close` is still due."""
        if self.ended.is_set():
            return
        self.why = why
        self.ended_s = self._clock.monotonic_s()
        self.ended.set()
        self._some.set()
        self._calls.cut()

    def lost(self, _client: BleakClient) -> None:
        """Handle the stack's callback. While connecting it is ignored: a stack tries several times inside one
        connect."""
        if not self._opening:
            self.end("the device went out of range or ended the link")

    async def close(self) -> None:
        """End the link and release everything; safe in any state and more than once. Never raises the stack's
        errors."""
        self.end("closed by the gateway")
        async with self._closing:
            try:
                await self._disconnect()
            finally:
                self._disconnected = True
                while self._closed:
                    await self._closed.pop()(self)

    def when_closed(self, callback: Callable[["BleConnection"], Awaitable[None]]) -> None:
        """Call `callback` once, after the client has been disconnected."""
        self._closed.append(callback)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + DISCONNECT_S):
                await client.disconnect()
        except Exception as error:
            # The link may have ended, the daemon dead, the bus broken: this client can do nothing more.
            log.info("ble.disconnect_failed", link=self.name, why=fault_of(error).words)

    def _which(self, service: int, characteristic: int) -> BleakGATTCharacteristic:
        which = self._characteristics.get((service, characteristic))
        if which is None:
            raise BleGattError(f"0x{characteristic:04X}", None, "the device does not show it")
        return which

    def _received(self, service: int, characteristic: int, _which: BleakGATTCharacteristic, octets: bytearray) -> None:
        if self._disconnected:
            return
        if len(self._queue) >= self._arrivals_max:
            self.dropped += 1
            return
        self.last_arrival_s = self._clock.monotonic_s()
        self.arrived += 1
        self._queue.append(Arrival(service, characteristic, bytes(octets), self.last_arrival_s))
        self._some.set()

    async def _request(self, what: str, call: Callable[[BleakClient], Awaitable[T]]) -> T:
        """Run `call`, only while the link stands. The stack's errors become those of `faults`."""
        client = self._client
        if self.ended.is_set() or client is None:
            raise BleLost(self.why or "there is no link")
        try:
            return await self._calls.within(self._request_s, call(client))
        except BleLost as error:
            self.end(str(error))
            raise
        except TimeoutError:
            if not self.ended.is_set():
                self.unanswered = True
                self.end(f"{what} got no response within {self._request_s:g} s")
            raise BleLost(self.why) from None
        except BleakGATTProtocolError as error:
            raise BleGattError(what, int(error.code), str(error.args[1])) from error
        except Exception as error:
            fault = fault_of(error)
            if self.ended.is_set() or not client.is_connected or fault.kind in (FaultKind.OFF, FaultKind.ABSENT):
                self.end(f"the link broke while {what}: {fault.words}")
                raise BleLost(self.why) from error
            raise BleGattError(what, None, fault.words) from error
