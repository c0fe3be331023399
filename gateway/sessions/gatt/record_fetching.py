"""Fetching the record stores of one GATT device: what to ask when, and how far each store is in the record.

The mark of a store moves with its records, in one commit (`gateway/buffer/record_marks`), so a gateway that is killed
anywhere asks for what it does not hold, and for one record more: the last that it does hold. That one proves that the
numbers still mean what they meant. A store that began anew (another battery, another CGM session) shows other content
under that number, or does not have it, and is then fetched from its beginning; `protocols/ble/record_fetch` says how a
device is asked, and takes care of devices that cannot compare numbers.

The mark stands still, and goes back where it had moved, as soon as anything of a transfer is missing: a notification
that found the queue full, or records out of order while it lasts. What comes twice for that is known by its content. A
value that cannot be read moves it on, since it would read no better the next time; it is told with its octets.

A device deletes only where the operator wants it, only what is durable, and only after a transfer of which everything
came and could be read. A store of ours that is full is not filled further: the device keeps what it has.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from gateway.buffer.errors import StoreFull
from gateway.buffer.losses import Loss
from gateway.buffer.record_marks import FetchedRecords
from gateway.sessions.gatt.data_watch import CONTINUOUS
from gateway.sessions.gatt.known_measurements import digest_of
from gateway.sessions.gatt.requests import GattLink, GattTalk
from gateway.sessions.journal import Journal
from gateway.transports.ble.faults import BleGattError
from gateway.transports.clock import Clock
from protocols.ble.interpretation import Measured, RecordNumbering, ServiceProfile
from protocols.ble.record_access import Opcode, Operator
from protocols.ble.record_fetch import RecordDelete, RecordFetch
from protocols.ble.record_procedure import (
    FetchAborted,
    FetchAsk,
    FetchDone,
    FetchEvent,
    FetchRefused,
    FetchTimedOut,
    RecordProcedure,
)
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT
from protocols.deviation import Deviation
from protocols.uplink.observations import DeviceObservations

TIMEOUTS_MAX = 3
"""A device whose store did not answer so often in a row is left alone for `TIMED_OUT_S`: each time costs its link."""
TIMED_OUT_S = 600.0
_ALL = bytes((Opcode.REPORT, Operator.ALL))
_DIGESTS_MAX = 4096
"""Of the records of one transfer, the latest: the mark stands on one of them."""
ABORT_S = 2.0
"""How long stopping waits for a device to answer our abort."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRules:
    """What the operator chose, and how often is asked."""

    fetch: bool = True
    delete: bool = False
    again_s: float = 300.0
    """A meter that stays connected is asked so often for what it stored since."""
    store_full_s: float = 60.0
    """After a full store of ours, the next try."""


class MarkStore(Protocol):
    """The part of the buffer that this needs."""

    async def append(
        self,
        sections: Sequence[DeviceObservations],
        *,
        held_by_device: bool = False,
        records: FetchedRecords | None = None,
    ) -> None: ...

    async def record_loss(self, lost: Sequence[Loss]) -> None: ...


class RecordMarks:
    """How far each store of each device is durable; for all sessions of one gateway. Follows the store, never runs
    ahead."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, int], FetchedRecords] = {}
        self._timed_out: dict[tuple[str, int], tuple[int, float]] = {}

    def load(self, rows: Sequence[FetchedRecords]) -> None:
        """What was durable when the gateway started."""
        for mark in rows:
            self.note(mark)

    def of(self, system_id: str, service: int) -> FetchedRecords | None:
        return self._marks.get((system_id, service))

    def note(self, mark: FetchedRecords) -> None:
        key = mark.system_id, mark.service
        if mark.through is None:
            self._marks.pop(key, None)
        else:
            self._marks[key] = mark

    def timed_out(self, system_id: str, service: int, now_s: float) -> None:
        """Once more in a row the store did not end a transfer."""
        count, _ = self._timed_out.get((system_id, service), (0, 0.0))
        self._timed_out[system_id, service] = count + 1, now_s

    def answered(self, system_id: str, service: int) -> None:
        self._timed_out.pop((system_id, service), None)

    def left_alone_until_s(self, system_id: str, service: int) -> float:
        count, at_s = self._timed_out.get((system_id, service), (0, 0.0))
        return at_s + TIMED_OUT_S if count >= TIMEOUTS_MAX else 0.0


@dataclass(slots=True, eq=False)
class _Transfer:
    """One procedure under way, and what its records say about the mark. `base`: the mark before it."""

    profile: ServiceProfile
    procedure: RecordProcedure
    base: FetchedRecords | None
    events: deque[FetchEvent] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    digests: dict[int, bytes] = field(default_factory=dict)
    """Of the records that the mark may stand on."""
    whole: bool = True
    readable: bool = True
    proven: bool = False
    """The record that the mark stands on came, and says what it said."""
    from_the_oldest: bool = False
    """Everything was asked for, so nothing depends on the mark."""
    anew: bool = False
    """The mark means nothing any more."""
    store_full: bool = False

    def tell(self, events: Sequence[FetchEvent]) -> None:
        self.events.extend(events)
        self.wake.set()


class RecordFetching:
    """Of one session. `run` asks; the session tells it what came, in order: `took`, `answered`, `committed`."""

    def __init__(
        self,
        link: GattLink,
        talk: GattTalk,
        stores: Sequence[ServiceProfile],
        system_id: str,
        *,
        marks: RecordMarks,
        store: MarkStore,
        rules: FetchRules,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._link = link
        self._talk = talk
        self._stores = stores if rules.fetch else ()
        self._system_id = system_id
        self._marks = marks
        self._store = store
        self._rules = rules
        self._clock = clock
        self._journal = journal
        self._transfer: _Transfer | None = None
        self._cut_short: set[int] = set()
        self._told: list[tuple[_Transfer, Sequence[FetchEvent]]] = []

    # ---- what the session tells

    def runs_for(self, service: int) -> bool:
        """Whether a procedure of this service is under way."""
        return self._transfer is not None and self._transfer.profile.service == service

    def was_cut_short(self, service: int) -> bool:
        """Whether the link ended in the middle of a transfer of this service, which will be asked for again."""
        return service in self._cut_short

    def comes_from_memory(self, service: int, measured: Measured) -> bool:
        """Whether this is a record of a transfer. Where records have no numbers, it is what does not stream."""
        if self._transfer is None or not self.runs_for(service):
            return False
        if self._transfer.profile.record_store is RecordNumbering.NONE:
            return measured.characteristic not in CONTINUOUS
        return measured.record is not None

    def took(self, service: int, measured: Measured, now_s: float) -> bool:
        """A record came. Whether it is news; the one that the mark stands on is not."""
        transfer = self._transfer
        if transfer is None or not isinstance(transfer.procedure, RecordFetch) or not self.runs_for(service):
            return True
        number = measured.record
        transfer.procedure.record(number, now_s)
        if number is None:
            return True
        digest = digest_of(measured.observations)
        transfer.digests.setdefault(number, digest)
        if len(transfer.digests) > _DIGESTS_MAX:
            del transfer.digests[next(iter(transfer.digests))]
        base = transfer.base
        if base is None or number != base.through:
            return True
        transfer.proven = transfer.proven or digest == base.identity
        transfer.anew = not transfer.proven and not transfer.from_the_oldest
        return digest != base.identity

    def missed(self) -> None:
        """Something of whatever is under way did not come, or did not become durable."""
        if self._transfer is not None:
            self._transfer.whole = False

    def unreadable(self, service: int) -> None:
        """A value came that nobody understood."""
        if self._transfer is not None and self.runs_for(service):
            self._transfer.readable = False

    def answered(self, service: int, octets: bytes, now_s: float) -> Sequence[Deviation]:
        """The control point said something. What follows from it waits for `committed`. Raises RemoteProtocolError."""
        transfer = self._transfer
        if transfer is None or not self.runs_for(service):
            return ()
        events = transfer.procedure.receive(octets, now_s)
        self._told.append((transfer, [each for each in events if not isinstance(each, Deviation)]))
        return [each for each in events if isinstance(each, Deviation)]

    def mark(self, service: int) -> FetchedRecords | None:
        """How far the store is durable once all that was told is; None: the mark stays where it is."""
        transfer = self._transfer
        if transfer is None or not isinstance(transfer.procedure, RecordFetch) or not self.runs_for(service):
            return None
        mark = self._reached(transfer, transfer.procedure)
        known = self._marks.of(self._system_id, service)
        return None if mark == known or (mark.through is None and known is None) else mark

    def _reached(self, transfer: _Transfer, fetch: RecordFetch) -> FetchedRecords:
        service, base = transfer.profile.service, transfer.base
        nowhere = FetchedRecords(self._system_id, service, b"", None)
        if transfer.anew:
            return nowhere
        trusted = base is None or transfer.proven or transfer.from_the_oldest
        if not trusted or not transfer.whole or fetch.through is None or fetch.through not in transfer.digests:
            return base or nowhere
        return FetchedRecords(self._system_id, service, transfer.digests[fetch.through], fetch.through)

    def committed(self, mark: FetchedRecords | None = None) -> None:
        """What was told so far is durable, and `mark` with it."""
        if mark is not None:
            self._marks.note(mark)
        told, self._told = self._told, []
        for transfer, events in told:
            transfer.tell(events)

    async def store_full(self) -> None:
        """Records were refused: ask for no more."""
        transfer = self._transfer
        self._told.clear()
        if transfer is None:
            return
        transfer.store_full, transfer.whole = True, False
        if transfer.procedure.ended:
            transfer.tell([FetchAborted(transfer.procedure.count)])
        else:
            transfer.tell(transfer.procedure.abort(self._clock.monotonic_s()))

    # ---- asking

    async def run(self) -> None:
        """Fetch what is new, and again every now and then, until cancelled. Returns where there is no store."""
        while self._stores:
            due_s = float("inf")
            for profile in self._stores:
                wait_s = await self._fetch_store(profile)
                due_s = min(due_s, self._clock.monotonic_s() + wait_s)
            await self._clock.sleep_until(due_s)

    async def stop(self) -> None:
        """Tell a device that is in the middle of a transfer that we want no more, and wait a moment for its answer."""
        transfer = self._transfer
        if transfer is None:
            return
        now_s = self._clock.monotonic_s()
        transfer.tell(transfer.procedure.abort(now_s))
        try:
            async with self._clock.timeout_at(now_s + ABORT_S):
                await transfer.over.wait()
        except TimeoutError:
            log.info("records.abort_unanswered", link=self._link.name)

    async def _fetch_store(self, profile: ServiceProfile) -> float:
        """Seconds until this store should be asked again."""
        service, rules = profile.service, self._rules
        now_s = self._clock.monotonic_s()
        alone_s = self._marks.left_alone_until_s(self._system_id, service)
        if alone_s > now_s:
            return alone_s - now_s
        for _ in range(2):  # once more where its numbers turn out to have begun anew
            transfer = await self._fetch(profile)
            if transfer is None or transfer.store_full:
                return rules.store_full_s if transfer is not None else rules.again_s
            if not transfer.anew:
                break
            await self._journal.write("records.began_anew", self._system_id, store=profile.name)
        return rules.again_s

    async def _fetch(self, profile: ServiceProfile) -> _Transfer | None:
        """One fetch to its end, and what follows from it. None: it did not come to an end of its own."""
        assert profile.record_store is not None
        service = profile.service
        base = self._marks.of(self._system_id, service)
        fetch = RecordFetch(profile.record_store, _before(base))
        transfer = _Transfer(profile, fetch, base)
        end = await self._procedure(transfer)
        journal, system_id = self._journal, self._system_id
        match end:
            case FetchDone():
                self._marks.answered(system_id, service)
                await self._finish(transfer, fetch)
                return transfer
            case FetchAborted():
                await journal.write("records.fetch_aborted", system_id, store=profile.name, records=end.count)
                return transfer
            case FetchRefused():
                self._marks.answered(system_id, service)
                await journal.write("records.not_fetched", system_id, store=profile.name, why=end.why)
            case FetchTimedOut():
                await self._timed_out(profile)
            case _:
                pass
        return None

    async def _timed_out(self, profile: ServiceProfile) -> None:
        """No other procedure may be started on this link, so it is given up."""
        why = f"its {profile.name} did not end a transfer of records"
        self._marks.timed_out(self._system_id, profile.service, self._clock.monotonic_s())
        await self._journal.write("records.not_fetched", self._system_id, store=profile.name, why=why)
        self._link.end(why)

    async def _finish(self, transfer: _Transfer, fetch: RecordFetch) -> None:
        """The transfer is over and its records are durable."""
        profile, count = transfer.profile, fetch.count
        if count and transfer.base is not None and not transfer.proven and not transfer.from_the_oldest:
            transfer.anew = True  # there is something, and the record of the mark is not
        mark = self._reached(transfer, fetch)
        if mark != (known := self._marks.of(self._system_id, profile.service)) and not (
            mark.through is None and known is None
        ):
            try:
                await self._store.append([], records=mark)
                self._marks.note(mark)
            except StoreFull:
                log.warning("records.mark_kept", link=self._link.name)
        if (count or not transfer.whole) and not transfer.anew:
            await self._journal.write(
                "records.fetched", self._system_id, store=profile.name, records=count, whole=transfer.whole
            )
        if self._rules.delete and transfer.whole and transfer.readable and not transfer.anew and count:
            await self._delete(profile, mark.through)

    async def _delete(self, profile: ServiceProfile, through: int | None) -> None:
        """What is durable goes from the device, where it can be told exactly what that is."""
        if through is None or profile.record_store in (None, RecordNumbering.NONE):
            return
        transfer = _Transfer(profile, RecordDelete(profile.record_store, through), None)
        end = await self._procedure(transfer)
        if isinstance(end, FetchDone):
            await self._journal.write("records.deleted", self._system_id, store=profile.name, through=through)
        elif isinstance(end, FetchRefused):
            await self._journal.write("records.not_deleted", self._system_id, store=profile.name, why=end.why)
        elif isinstance(end, FetchTimedOut):
            await self._timed_out(profile)

    async def _procedure(self, transfer: _Transfer) -> FetchEvent | None:
        """Run it to its end."""
        self._transfer, procedure = transfer, transfer.procedure
        try:
            await self._write(transfer, procedure.start(self._clock.monotonic_s()))
            while True:
                while transfer.events:
                    event = transfer.events.popleft()
                    if not isinstance(event, FetchAsk):
                        return event
                    await self._write(transfer, event.octets)
                transfer.wake.clear()
                try:
                    async with self._clock.timeout_at(procedure.deadline_s):
                        await transfer.wake.wait()
                except TimeoutError:
                    transfer.tell(procedure.expire(self._clock.monotonic_s()))
        except BaseException:
            self._cut_short.add(transfer.profile.service)
            raise
        finally:
            procedure.lost()
            self._transfer = None
            transfer.over.set()

    async def _write(self, transfer: _Transfer, octets: bytes) -> None:
        transfer.from_the_oldest = transfer.from_the_oldest or octets.startswith(_ALL)
        try:
            await self._talk.write(transfer.profile.service, RECORD_ACCESS_CONTROL_POINT, octets)
        except BleGattError as error:
            transfer.tell(transfer.procedure.not_written(error.code, self._clock.monotonic_s()))


def _before(mark: FetchedRecords | None) -> int | None:
    """What to call the last record that is held, so that the one the mark stands on comes once more."""
    return None if mark is None or not mark.through else mark.through - 1
