"""One GATT link to one device: requests with a time limit, and notifications and indications in their order of arrival.

The callback of a subscription only puts the value into a bounded queue, with the time of its arrival: a slow callback
would delay the next notification, and at a high rate a stack drops values. Values that find the queue full are counted.

**A link that does not respond is ended.** After an ATT time-out no further request may be sent on that link (Core, Vol
3 Part F, 3.3.3). A hanging `start_notify` never returns, and a stack may report a link as connected for ever after the
daemon has died. So a request that reaches its time limit ends the link, and `BleAdapter` ends it (`end`) when the
adapter has disappeared. Pending requests fail with `BleLost` at once.

**Every link has its own client, and every client is disconnected.** Otherwise BlueZ renews the subscriptions of an
earlier client when the device returns: notifications would arrive twice, and before this gateway has subscribed. Values
that arrive between the end of the link and the disconnection are queued (`pending`), because the stack has confirmed
them to the device. Later values are dropped.
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
"""Maximum number of queued arrivals of up to 512 bytes (Core, Vol 3 Part F, 3.2.9), so 2 MB a device: two seconds at
the highest supported rate."""
REQUEST_S = 10.0
"""Time limit of a request. ATT allows 30 s, but a device that needs more than this in a vehicle is out of range."""
DISCONNECT_S = 12.0
"""Time limit of a disconnection. bleak waits 10 s for the stack's confirmation; BlueZ lingers for 2 s on purpose."""

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Arrival(NamedTuple):
    """One notification or indication. Service and characteristic are 16-bit SIG UUIDs; `received_s` is monotonic."""

    service: int
    characteristic: int
    octets: bytes
    received_s: float


class BleConnection:
    """A link made by `BleCentral.connect`. Its owner must call `close` in every case, or use `async with`."""

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
        """Connect within `connect_s` and read the table of services. Raises the stack's errors. Raises `TableFault` for
        an empty table, because a stack may report services as resolved before it shows any."""
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
        """Return whether the device has the service and, unless None, the characteristic in it."""
        if characteristic is None:
            return service in self._services
        return (service, characteristic) in self._characteristics

    def properties(self, service: int, characteristic: int) -> frozenset[str]:
        """Return a characteristic's properties by bleak's names ("read", "notify" …); empty where it is absent."""
        which = self._characteristics.get((service, characteristic))
        return frozenset() if which is None else frozenset(which.properties)

    def services(self) -> tuple[int, ...]:
        """Return the 16-bit UUIDs of the device's services, in the device's order."""
        return self._services

    async def read(self, service: int, characteristic: int) -> bytes:
        """Read a characteristic. Read before subscribing, because BlueZ also notifies subscribers of a value that is
        read. Raises BleGattError where the device refuses, BleLost where the link has ended."""
        which = self._which(service, characteristic)
        return bytes(await self._request(f"reading 0x{characteristic:04X}", lambda it: it.read_gatt_char(which)))

    async def write(self, service: int, characteristic: int, octets: bytes) -> None:
        """Write a characteristic, with a response where the characteristic supports one. Raises BleGattError where the
        device refuses, BleLost where the link has ended."""
        which = self._which(service, characteristic)
        answered = "write" in which.properties
        await self._request(
            f"writing 0x{characteristic:04X}", lambda it: it.write_gatt_char(which, octets, response=answered)
        )

    async def subscribe(self, service: int, characteristic: int) -> None:
        """Subscribe to notifications or indications; a repeated call does nothing. Raises BleGattError where the device
        refuses, BleLost where the link has ended.

        A value that the device sends during the call may be lost, or may arrive before the call returns. So if a value
        must not be missed, wait until the call has returned, and then request the value.
        """
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
        """Make a bond within `limit_s`, and return the address by which the stack then knows the device. For a device
        with private addresses, this is the identity address that it has revealed. Raises the stack's errors."""
        client = self._client
        if self.ended.is_set() or client is None:
            raise BleLost(self.why or "there is no link")
        await self._calls.within(limit_s, client.pair())
        return client.address.upper()

    async def arrivals(self) -> Sequence[Arrival]:
        """Wait for values and return all queued ones in order. Return () once the link has ended and the queue is
        empty. For one receiver; cancel-safe."""
        while not self._queue and not self.ended.is_set():
            self._some.clear()
            await self._some.wait()
        taken = tuple(self._queue)
        self._queue.clear()
        return taken

    def pending(self) -> Sequence[Arrival]:
        """Return the queued values in order at once; works also after the link has ended."""
        taken = tuple(self._queue)
        self._queue.clear()
        return taken

    def end(self, why: str) -> None:
        """End the link and its pending requests now. Further calls of `end` do nothing. The owner must still call
        `close`."""
        if self.ended.is_set():
            return
        self.why = why
        self.ended_s = self._clock.monotonic_s()
        self.ended.set()
        self._some.set()
        self._calls.cut()

    def lost(self, _client: BleakClient) -> None:
        """Handle the stack's report of a broken link. A report during a connect is ignored: the stack may retry the
        connect."""
        if not self._opening:
            self.end("the device went out of range or ended the link")

    async def close(self) -> None:
        """End the link and disconnect the client, in any state and repeatedly. Never raises the stack's errors."""
        self.end("closed by the gateway")
        async with self._closing:
            try:
                await self._disconnect()
            finally:
                self._disconnected = True
                while self._closed:
                    await self._closed.pop()(self)

    def when_closed(self, callback: Callable[["BleConnection"], Awaitable[None]]) -> None:
        """Register a callback that is called once, after the client has been disconnected."""
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
        """Run `call`, a GATT request, within the time limit. The stack's errors become BleGattError or BleLost, whose
        text names the request by `what`."""
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
