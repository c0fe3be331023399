"""A Bluetooth device in memory, as a GATT session sees it: attributes to read, write and subscribe to, and a link that
ends.

It responds as devices do, with the product's own codecs and the server side of the record access control point. There
is no stack and no radio, so one test takes milliseconds and can lose thousands of links in a second. Tests examine the
device's state after the requests, not a list of calls.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.transports.ble.connection import Arrival
from gateway.transports.ble.faults import BleGattError, BleLost
from gateway.transports.clock import Clock
from protocols.ble.record_server import RecordServer
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT

Key = tuple[int, int]
"""(service, characteristic)."""
READ_NOT_PERMITTED = 0x02


@dataclass
class GattPeer:
    """A Bluetooth device whose attributes are keyed by (service, characteristic).

    `values` can be read, and `sends` can be subscribed to. A function in `accepts` is called with the written bytes and
    returns the ATT error of a refused write, None for an accepted write. `refusals` are ATT errors of reads and
    subscriptions. `servers` maps a service to its record access control point.
    """

    clock: Clock
    address: str = "02:41:52:00:00:01"
    values: dict[Key, bytes] = field(default_factory=dict)
    sends: set[Key] = field(default_factory=set)
    accepts: dict[Key, Callable[[bytes], int | None]] = field(default_factory=dict)
    refusals: dict[Key, int] = field(default_factory=dict)
    servers: dict[int, RecordServer] = field(default_factory=dict)
    bonded: bool = True
    silent: bool = False
    """True if requests get no response although the link is open."""
    records_at_once: int = 1_000_000
    """Number of values that a transfer sends before it waits for `more_records`."""
    queue_max: int = 4096
    while_closing: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Values that still arrive while the stack ends the link."""
    link: "PeerLink | None" = None
    links: int = 0

    def connect(self) -> "PeerLink":
        """Open a new link. The previous link must have ended."""
        assert self.link is None or self.link.ended.is_set(), "one link at a time"
        self.links += 1
        self.link = PeerLink(self)
        for server in self.servers.values():
            server.lost()
        return self.link

    def send(self, service: int, characteristic: int, octets: bytes) -> bool:
        """Send a notification or an indication; return False if no link has subscribed to the characteristic."""
        link = self.link
        if link is None or link.ended.is_set() or (service, characteristic) not in link.subscribed:
            return False
        link.arrive(Arrival(service, characteristic, octets, self.clock.monotonic_s()))
        return True

    def lose(self, why: str = "the device went out of range") -> None:
        if self.link is not None:
            self.link.end(why)

    def more_records(self, count: int = 1_000_000) -> None:
        """Send up to `count` more values of the record transfers in progress."""
        for service, server in self.servers.items():
            for _ in range(count):
                outgoing = server.next()
                if outgoing is None:
                    break
                self.send(service, outgoing.characteristic, outgoing.octets)

    def table(self) -> set[Key]:
        points = {(service, RECORD_ACCESS_CONTROL_POINT) for service in self.servers}
        return set(self.values) | self.sends | set(self.accepts) | points


class PeerLink:
    """One link to the device, with the interface of `gateway.transports.ble.connection.BleConnection`."""

    def __init__(self, peer: GattPeer) -> None:
        self.name = f"ble:{peer.address}"
        self.address = peer.address
        self.bonded = peer.bonded
        self.why = ""
        self.dropped = 0
        self.closed = 0
        self.last_arrival_s = peer.clock.monotonic_s()
        self.ended = asyncio.Event()
        self.subscribed: dict[Key, None] = {}
        """The subscribed characteristics, in the order of the requests."""
        self._peer = peer
        self._queue: deque[Arrival] = deque()
        self._some = asyncio.Event()

    @property
    def queued(self) -> int:
        """Return the number of values that the session has not taken."""
        return len(self._queue)

    def has(self, service: int, characteristic: int | None = None) -> bool:
        if characteristic is None:
            return service in self.services()
        return (service, characteristic) in self._peer.table()

    def properties(self, service: int, characteristic: int) -> frozenset[str]:
        peer, key = self._peer, (service, characteristic)
        if characteristic == RECORD_ACCESS_CONTROL_POINT and service in peer.servers:
            return frozenset({"write", "indicate"})
        having = {"read": key in peer.values, "notify": key in peer.sends, "write": key in peer.accepts}
        return frozenset(name for name, has in having.items() if has)

    def services(self) -> tuple[int, ...]:
        return tuple(sorted({service for service, _ in self._peer.table()}))

    async def read(self, service: int, characteristic: int) -> bytes:
        await self._reach(service, characteristic)
        value = self._peer.values.get((service, characteristic))
        if value is None:
            raise BleGattError(f"0x{characteristic:04X}", READ_NOT_PERMITTED, "the device refuses it")
        return value

    async def write(self, service: int, characteristic: int, octets: bytes) -> None:
        await self._reach(service, characteristic)
        if characteristic == RECORD_ACCESS_CONTROL_POINT:
            error = self._peer.servers[service].written(octets, subscribed=(service, characteristic) in self.subscribed)
            self._refuse(characteristic, error)
            self._peer.more_records(self._peer.records_at_once)
            return
        self._refuse(characteristic, self._peer.accepts[service, characteristic](octets))

    async def subscribe(self, service: int, characteristic: int) -> None:
        await self._reach(service, characteristic)
        self.subscribed[service, characteristic] = None

    async def arrivals(self) -> Sequence[Arrival]:
        while not self._queue and not self.ended.is_set():
            self._some.clear()
            await self._some.wait()
        taken = tuple(self._queue)
        self._queue.clear()
        return taken

    def pending(self) -> Sequence[Arrival]:
        taken = tuple(self._queue)
        self._queue.clear()
        return taken

    def arrive(self, arrival: Arrival) -> None:
        if len(self._queue) >= self._peer.queue_max:
            self.dropped += 1
            return
        self.last_arrival_s = arrival.received_s
        self._queue.append(arrival)
        self._some.set()

    def end(self, why: str) -> None:
        if not self.ended.is_set():
            self.why = why
            self.ended.set()
            self._some.set()

    async def close(self) -> None:
        self.closed += 1
        self.end("closed by the gateway")
        for service, characteristic, value in self._peer.while_closing:
            self.arrive(Arrival(service, characteristic, value, self._peer.clock.monotonic_s()))
        self._peer.while_closing.clear()

    async def _reach(self, service: int, characteristic: int) -> None:
        await asyncio.sleep(0)
        if self._peer.silent:
            await self.ended.wait()
        if self.ended.is_set():
            raise BleLost(self.why)
        self._refuse(characteristic, self._peer.refusals.get((service, characteristic)))

    def _refuse(self, characteristic: int, error: int | None) -> None:
        if error is not None:
            raise BleGattError(f"0x{characteristic:04X}", error, "the device refuses it")
