"""One connection of a client to a simulated device: subscriptions, notifications, indications, and record requests.

Live values are notified at once, or dropped without a subscription. Stored values are indicated one at a time, oldest
first, and removed only when confirmed; if the link is lost before the confirmation, the same bytes are indicated again
over the next link. Stored records behind a record access control point are sent on the client's request, one value
after another, so that a lost link or an abort may come between any two.

The owner (`peripheral`) ends a conversation by calling `end` and cancelling `run`. Both are needed, because Python
3.11's `wait_for` loses a cancellation that arrives in the same turn of the event loop as a confirmation.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from bumble.device import Connection
from bumble.gatt import Characteristic
from bumble.gatt_server import Server

from protocols.ble.record_access import Opcode, Result, encode_result
from protocols.ble.record_server import Outgoing, RecordServer
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.ledger import Ledger
from simulators.ble.records import Records
from simulators.ble.sensor import ACCEPTED, Sensor
from simulators.ble.store import Kept, Values

log = structlog.get_logger(__name__)

ATT_HEADER_OCTETS: Final = 3
FRESH_MAX: Final = 64
"""Limit of measurements queued for indication; one beyond it stays in the store."""
_NOTIFIES, _INDICATES = 0x01, 0x02
_RACP: Final = RECORD_ACCESS_CONTROL_POINT


@dataclass(slots=True)
class Mischief:
    """State of the configured faults over all connections: values sent so far, and the link losses and "busy" responses
    still to be injected."""

    values: int = 0
    drops_left: int = 0
    busy_left: int = 0


class Conversation:
    """One connection of a client to a simulated device. `drop_link()` breaks the link without notice."""

    def __init__(
        self,
        server: Server,
        connection: Connection,
        table: Mapping[int, Characteristic[bytes]],
        sensor: Sensor,
        ledger: Ledger,
        behaviour: BleBehaviour,
        mischief: Mischief,
        drop_link: Callable[[], None],
    ) -> None:
        self._server = server
        self._connection = connection
        self._table = table
        self._sensor = sensor
        self._ledger = ledger
        self._behaviour = behaviour
        self._mischief = mischief
        self._drop_link = drop_link
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._over = False
        self._fresh: deque[Kept] = deque()
        self._through = 0
        self._sent = 0
        self._transferred: set[tuple[int, bytes]] = set()
        sensor.connected()
        self._records = Records(ledger, sensor)
        self._racp = None if sensor.numbering is None else RecordServer(self._records, sensor.numbering)

    def wake(self) -> None:
        """Wake `run`, because a value was stored or the client subscribed or wrote."""
        self._idle.clear()
        self._wake.set()

    def end(self) -> None:
        self._over = True
        self._wake.set()

    async def idle(self) -> None:
        """Wait until all queued values have been sent."""
        await self._idle.wait()

    def subscribed(self, characteristic: int, bits: int = _NOTIFIES | _INDICATES) -> bool:
        table = self._table.get(characteristic)
        if table is None:
            return False
        cccd = self._server.subscribers.get(self._connection, {}).get(table.handle, b"\0\0")
        return bool(cccd[0] & bits)

    async def notify(self, values: Values) -> None:
        """Notify the live values to which the client has subscribed."""
        wanted = tuple(value for value in values if self.subscribed(value[0], _NOTIFIES))
        if not wanted or not self._sensor.streams or not self._fits(wanted):
            return
        spoilt = self._spoils()
        for characteristic, octets in wanted:
            await self._notify(characteristic, self._behaviour.spoilt(octets) if spoilt else octets)
        if spoilt:
            self._ledger.spoilt(0, wanted)
        else:
            self._ledger.notified(wanted)

    def fresh(self, kept: Kept) -> None:
        """Queue the stored measurement `kept` for indication to this client, if the queue has room and the client has
        subscribed."""
        if len(self._fresh) < FRESH_MAX and all(self.subscribed(each) for each, _ in kept.values):
            self._fresh.append(kept)
            self.wake()

    def write_racp(self, octets: bytes) -> int:
        """Process a client's write to the record access control point. Return an ATT error code, or `ACCEPTED`."""
        assert self._racp is not None, "only a device with records has the control point"
        self._racp.busy = self._mischief.busy_left > 0
        needed = [_RACP, *{each for kept in self._ledger.store.kept() for each, _ in kept.values}]
        error = self._racp.written(octets, subscribed=all(self.subscribed(each) for each in needed))
        if error is not None:
            return error
        if self._racp.busy:
            self._mischief.busy_left -= 1
        self._transferred.clear()
        self.wake()
        return ACCEPTED

    async def run(self) -> None:
        """Send queued values to the client until `end` is called. Drop the link if an indication is not confirmed in
        time (ATT)."""
        try:
            while not self._over:
                if not self._wake.is_set():
                    self._idle.set()
                await self._wake.wait()
                self._wake.clear()
                await self._send_responses()
                await self._send_kept()
                await self._send_requested()
        except TimeoutError:
            self._drop_link()
        finally:
            if self._racp is not None:
                self._racp.lost()
            # Bumble leaves these behind when an indication was pending at the end.
            self._server.pending_confirmations.pop(self._connection, None)
            self._server.indication_semaphores.pop(self._connection, None)

    async def _send_responses(self) -> None:
        while self._sensor.responses:
            await self._indicate(*self._sensor.responses.popleft())

    async def _send_kept(self) -> None:
        while (kept := self._next_kept()) is not None:
            spoilt = self._spoils()
            for characteristic, octets in kept.values:
                await self._indicate(characteristic, self._behaviour.spoilt(octets) if spoilt else octets)
            if spoilt:
                self._ledger.spoilt(kept.number, kept.values)
            else:
                self._ledger.confirmed(kept)
            if not self._behaviour.resends:
                self._ledger.forget([kept.number])
            await self._count_transfer()

    def _next_kept(self) -> Kept | None:
        """Return the next stored measurement to indicate. Return None if there is none, or if the client has not
        subscribed to the characteristics of the measurement."""
        while True:
            if self._fresh:
                kept: Kept | None = self._fresh.popleft()
            else:
                kept = None if self._sensor.numbering is not None else self._ledger.store.first_after(self._through)
            if kept is None or not all(self.subscribed(each, _INDICATES) for each, _ in kept.values):
                return None
            self._through = max(self._through, kept.number)
            if self._fits(kept.values):
                return kept

    async def _send_requested(self) -> None:
        while self._racp is not None and (outgoing := self._racp.next()) is not None:
            await self._send(outgoing)

    async def _send(self, outgoing: Outgoing) -> None:
        characteristic, octets = outgoing
        if characteristic == _RACP:
            await self._indicate(characteristic, octets)
            if octets in (
                encode_result(Opcode.REPORT, Result.SUCCESS),
                encode_result(Opcode.COMBINED_REPORT, Result.SUCCESS),
            ):
                self._transfer_ended()
            return
        if not self._fits((outgoing,)):
            return
        if self._spoils():
            self._ledger.spoilt(0, (outgoing,))
            octets = self._behaviour.spoilt(octets)
        else:
            self._transferred.add((characteristic, octets))
        if self.subscribed(characteristic, _NOTIFIES):
            await self._notify(characteristic, octets)
        else:
            await self._indicate(characteristic, octets)
        await self._count_transfer()
        await asyncio.sleep(0)  # an abort may come between any two records

    def _transfer_ended(self) -> None:
        for kept in self._ledger.store.kept():
            if self._transferred.issuperset(kept.values):
                self._ledger.confirmed(kept)
        self._transferred.clear()

    async def _notify(self, characteristic: int, octets: bytes) -> None:
        for piece in self._pieces(characteristic, octets):
            await self._server.notify_subscriber(self._connection, self._table[characteristic], piece)

    async def _indicate(self, characteristic: int, octets: bytes) -> None:
        """Send an indication and wait for its confirmation, at most 30 s (Bumble's limit)."""
        for piece in self._pieces(characteristic, octets):
            await self._server.indicate_subscriber(self._connection, self._table[characteristic], piece)

    def _pieces(self, characteristic: int, octets: bytes) -> Sequence[bytes]:
        return self._sensor.on_air(characteristic, octets, self._room)

    @property
    def _room(self) -> int:
        return self._connection.att_mtu - ATT_HEADER_OCTETS

    def _fits(self, values: Values) -> bool:
        """Return whether the values fit in the client's MTU. Values that do not fit stay stored, because Bumble would
        truncate them."""
        if self._sensor.cuts_up or all(len(octets) <= self._room for _, octets in values):
            return True
        log.warning("peripheral.value_too_long", characteristic=f"{values[0][0]:04x}", room=self._room)
        return False

    def _spoils(self) -> bool:
        every = self._behaviour.lies_every
        self._mischief.values += 1
        return every is not None and self._mischief.values % every == 0

    async def _count_transfer(self) -> None:
        """Count a sent value. Drop the link after the configured number of values."""
        self._sent += 1
        if self._sent == self._behaviour.drops_link_after and self._mischief.drops_left > 0:
            self._mischief.drops_left -= 1
            self._drop_link()
            await asyncio.get_running_loop().create_future()  # send nothing more, until the owner ends this
