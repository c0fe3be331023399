"""Store one group of verified batches in one transaction, and return the acknowledgements to send.

The number of statements does not depend on the number of gateways, lanes, devices or batches in the group. Every worker
locks in the same order to avoid deadlocks: epochs by name, lanes by id, devices by id, other rows, quarantine, quotas.
`epoch_gate` and `lane_book` judge the batches, and `entering` writes the rows.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import assert_never

from cloud.clinical.devices import DeviceKey, Devices, KnownDevice
from cloud.clinical.observations import ArrivingMinutes, Numbers
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.events import Outbox
from cloud.vehicles.custody import (
    ChainedBatch,
    CustodyStore,
    LaneChange,
    LaneKey,
    LaneMarks,
    LaneRow,
    LaneStore,
    Removal,
    SignedHead,
)
from cloud.vehicles.fleet import GatewayName, RegisteredGateway
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.acks import ack_of
from cloud.vehicles.ingest.arrivals import Arrival, arrivals_of, sequences_near
from cloud.vehicles.ingest.aside import Aside
from cloud.vehicles.ingest.batch_events import BatchEvents, place_of
from cloud.vehicles.ingest.batch_spans import traced_batches
from cloud.vehicles.ingest.entering import BatchWriter, EnteredBatch, device_keys_of
from cloud.vehicles.ingest.epoch_gate import EpochGate
from cloud.vehicles.ingest.lane_book import LaneBook
from cloud.vehicles.ingest.numerics_packing import abandon_unused
from cloud.vehicles.ingest.opening import Opened, ParkedPayload, Refused
from cloud.vehicles.ingest.quotas import Need, Quota, QuotaBook, QuotaCharges
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.source import DueAck
from cloud.vehicles.ingest.store import EpochStore
from cloud.vehicles.ingest.verdicts import Ahead, Conflict, Duplicate, Scattered, Stored
from protocols.provenance.hash_chain import genesis
from protocols.uplink.gaps import Gap


@dataclass(slots=True)
class Tally:
    """The counts of one group of batches, for logs and metrics. `observations` counts new rows, and `repeated` the
    measurements from a device's memory that were already stored. `held_back` batches are neither stored nor
    acknowledged."""

    stored: int = 0
    observations: int = 0
    duplicates: int = 0
    conflicts: int = 0
    scattered: int = 0
    refused: int = 0
    parked: int = 0
    held_back: int = 0
    repeated: int = 0


@dataclass(slots=True)
class Written:
    """The result of writing a group of batches. After the commit the caller caches `learned`, calls `charges.keep`,
    records the spans of `traced` and sends `acks`."""

    charges: QuotaCharges
    acks: list[DueAck] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    learned: dict[object, int] = field(default_factory=dict)
    traced: list[Opened] = field(default_factory=list)


class GroupWriter:
    """Write groups of batches; one instance for each process. The caller updates the caches `numbers` and `quotas`
    after the commit."""

    def __init__(
        self,
        *,
        devices: Devices,
        outbox: Outbox,
        numbers: Numbers,
        clock: Clock,
        quotas: QuotaBook | None = None,
        minutes: ArrivingMinutes | None = None,
    ) -> None:
        """`minutes` writes the minute rows of staged batches; None: they get single rows."""
        self.devices = devices
        self.outbox = outbox
        self.numbers = numbers
        self.minutes = minutes
        self.clock = clock
        self.quotas = quotas or QuotaBook(IngestSection())
        self.lanes = LaneStore()
        self.epochs = EpochStore()
        self.custody = CustodyStore()
        self.removal = Removal()

    async def write(self, tx: Transaction, opened: Sequence[Opened], refused: Sequence[Refused]) -> Written:
        """Write verified and refused batches within the caller's transaction."""
        return await _GroupInHand(self, tx).write(opened, refused)


class _GroupInHand:
    """The state of writing one group of batches in one transaction."""

    def __init__(self, writer: GroupWriter, tx: Transaction) -> None:
        self._writer = writer
        self._tx = tx
        self._now_us = writer.clock.now_us()
        self._charges = writer.quotas.begin(tx, self._now_us)
        self._written = Written(self._charges)
        self._events = BatchEvents(tx, writer.outbox, self._now_us)
        self._aside = Aside(tx, self._events, self._now_us)
        self._entered: list[EnteredBatch] = []
        self._known: dict[DeviceKey, KnownDevice] = {}
        self._undiscovered: set[DeviceKey] = set()
        self._gateways: dict[GatewayName, RegisteredGateway] = {}
        self._held_back: set[GatewayName] = set()
        self._newly_contested: set[int] = set()
        self._heads: dict[int, SignedHead] = {}

    async def write(self, opened: Sequence[Opened], refused: Sequence[Refused]) -> Written:
        for one in refused:
            self._aside.add_refused(one)
        self._written.tally.refused = len(refused)
        by_lane: defaultdict[LaneKey, list[Opened]] = defaultdict(list)
        for batch in opened:
            by_lane[batch.lane_key].append(batch)
        self._gateways = {one.gateway_name: one.gateway for one in opened}
        await self._charges.load(self._gateways)
        admitted = await self._admitted(by_lane)
        if admitted:
            await self._store({key: by_lane[key] for key in admitted})
        await abandon_unused(self._tx, opened, self._now_us)
        await self._aside.write()
        await self._save_quotas()
        await self._events.write()
        self._written.traced = traced_batches([new.one for new in self._entered], self._events.traceparents)
        return self._written

    async def _store(self, by_lane: Mapping[LaneKey, Sequence[Opened]]) -> None:
        """Judge and write the batches of lanes (numbered streams of batches), and store the changes to the lanes."""
        rows = await self._open_lanes(by_lane.keys())
        seen = {key for of_lane in by_lane.values() for one in of_lane for key in device_keys_of(one)}
        self._known = await self._writer.devices.recall(self._tx, seen)
        self._undiscovered = seen - self._known.keys()
        arrivals = {key: arrivals_of(by_lane[key]) for key in sorted(rows)}
        near = {rows[key].lane_id: sequences_near(rows[key].marks, arrivals[key]) for key in arrivals}
        held = await self._writer.custody.neighbours(self._tx, near)
        removed = await self._removed(rows, arrivals, held)
        marks = {
            row.lane_id: self._judge_lane(key, row, arrivals[key], held[row.lane_id], removed.get(row.lane_id, ()))
            for key, row in ((key, rows[key]) for key in arrivals)
        }
        await self._writer.lanes.contest_lanes(self._tx, self._newly_contested, self._now_us)
        repeated = await self._enter()
        before = {row.lane_id: row.marks for row in rows.values()}
        await self._writer.lanes.save(
            self._tx,
            [
                LaneChange(lane_id, marks[lane_id], repeated[lane_id], self._heads.get(lane_id))
                for lane_id in sorted(marks)
                if marks[lane_id] != before[lane_id] or repeated[lane_id]
            ],
        )

    async def _open_lanes(self, keys: Set[LaneKey]) -> dict[LaneKey, LaneRow]:
        cached = {key: lane_id for key in keys if (lane_id := self._writer.numbers.get(key)) is not None}
        rows = await self._writer.lanes.open_lanes(self._tx, keys, cached)
        self._written.learned.update((key, row.lane_id) for key, row in rows.items() if cached.get(key) != row.lane_id)
        return rows

    async def _admitted(self, by_lane: Mapping[LaneKey, Sequence[Opened]]) -> set[LaneKey]:
        """Return the lanes (numbered streams of batches) whose batches may be stored. Count the batches of all other
        lanes as held back: neither stored nor acknowledged."""
        gate = EpochGate(
            self._tx, epochs=self._writer.epochs, charges=self._charges, events=self._events, now_us=self._now_us
        )
        of_gateways: dict[GatewayName, list[Opened]] = {name: [] for name in sorted(self._gateways)}
        for key in sorted(by_lane):
            of_gateways[key.tenant_id, key.gateway_id].append(_newest(by_lane[key]))
        admitted = await gate.admit(of_gateways)
        self._written.tally.held_back += sum(len(by_lane[key]) for key in by_lane.keys() - admitted)
        return admitted

    async def _enter(self) -> Counter[int]:
        """Write the new batches of all lanes; return for each lane id the number of repeated measurements."""
        writer = BatchWriter(
            self._tx,
            devices=self._writer.devices,
            numbers=self._writer.numbers,
            minutes=self._writer.minutes,
            aside=self._aside,
            events=self._events,
        )
        added = await writer.write(self._entered, self._known, stored_at_us=self._writer.clock.now_us())
        self._written.learned.update(writer.learned)
        repeated: Counter[int] = Counter()
        for new, one in zip(self._entered, added, strict=True):
            self._written.tally.observations += one.new
            if one.repeated:
                repeated[new.lane_id] += one.repeated
        self._written.tally.repeated = repeated.total()
        return repeated

    async def _save_quotas(self) -> None:
        """Write the quota charges and add the events of reached quotas. Call this late in the transaction, because
        other workers wait for the quota rows."""
        for name, quota in await self._charges.save():
            self._events.add_for(self._gateways[name], event_types.QUOTA_REACHED, {"quota": quota.value})
        for name in await self._charges.begin_holding_back(sorted(self._held_back)):
            self._events.add_for(self._gateways[name], event_types.QUOTA_REACHED, {"quota": event_types.HELD_BACK})

    def _judge_lane(
        self,
        key: LaneKey,
        row: LaneRow,
        arrivals: Sequence[Arrival],
        held: Sequence[ChainedBatch],
        removed: Collection[int],
    ) -> LaneMarks:
        """Judge the batches of one lane (numbered stream of batches), lowest sequence number first. `held` are the
        stored batches next to them, and `removed` the numbers of those that retention has removed. Return the sequence
        numbers that the cloud now holds of the lane."""
        book = LaneBook(row.marks, genesis(key.gateway_id, key.epoch, key.lane.value), held, removed)
        contested = row.contested
        tally = self._written.tally
        for arrival in arrivals:
            one = arrival.one
            devices = self._new_devices(one)
            need = one.need if not devices else one.need._replace(devices=len(devices))
            over = self._over_quota(one, need)
            if over is not None and not self._may_park(one):
                # Not judged: the book must not hold a batch that is not stored. The gateway keeps it and resends it.
                self._held_back.add(one.gateway_name)
                tally.held_back += 1
                continue
            verdict = book.judge(arrival.chained)
            match verdict:
                case Stored(entry) | Ahead(entry, _):
                    self._accept(EnteredBatch(row.lane_id, one, entry), need, devices, over)
                    tally.stored += 1
                case Duplicate():
                    tally.duplicates += 1
                case Conflict():
                    tally.conflicts += 1
                    self._aside.add_conflict(one)
                    if not contested:
                        self._newly_contested.add(row.lane_id)
                        self._events.add(one, event_types.IDENTITY_CONTESTED, place_of(one.batch))
                    contested = True
                case Scattered():
                    tally.scattered += 1
                case _:
                    assert_never(verdict)
        # The acknowledgement has the hash only if the book has it; an acknowledgement after a status always has it.
        behind = book.hash_behind(book.marks.through)
        head = next((one for one in arrivals if one.chained.sequence == book.marks.through), None)
        if head is not None and not head.chained.is_gap and head.one.hash == behind:
            self._heads[row.lane_id] = _signed_head(head.one)
        ack = ack_of(key.epoch, key.lane, book.marks, contested=contested, through_hash=behind)
        self._written.acks.append(DueAck(key.tenant_id, key.gateway_id, ack))
        return book.marks

    async def _removed(
        self,
        rows: Mapping[LaneKey, LaneRow],
        arrivals: Mapping[LaneKey, Sequence[Arrival]],
        held: Mapping[int, Sequence[ChainedBatch]],
    ) -> Mapping[int, Collection[int]]:
        """Return, for each lane id, the sequence numbers of those arrivals that the cloud had stored and removed after
        their retention period. Only batches that the cloud must have had, and does not have, are looked up."""
        absent: dict[int, Collection[int]] = {}
        for key, of_lane in arrivals.items():
            row = rows[key]
            if of_lane[0].chained.sequence <= row.marks.last:
                stored = {one.sequence for one in held[row.lane_id] if not one.is_gap}
                numbers = {one.chained.sequence for one in of_lane} - stored
                absent[row.lane_id] = [number for number in numbers if row.marks.covers(number)]
        wanted = {lane_id: numbers for lane_id, numbers in absent.items() if numbers}
        return await self._writer.removal.covered(self._tx, wanted) if wanted else {}

    def _over_quota(self, one: Opened, need: Need) -> Quota | None:
        """Return the quota that this batch would exceed if its rows were written now; None when it fits. A staged batch
        is acknowledged, so it is stored in any case."""
        if one.staged_at_us is not None:
            return None
        if isinstance(one.content, ParkedPayload):
            return one.content.quota
        return self._charges.reached(one.gateway_name, need)

    def _may_park(self, one: Opened) -> bool:
        """Return whether a batch may be stored now and unpacked later. A gap record, which has nothing to unpack, may
        not."""
        return not isinstance(one.content, Gap) and self._charges.has_parking(
            one.gateway_name, len(one.delivery.octets)
        )

    def _accept(self, new: EnteredBatch, need: Need, devices: set[DeviceKey], over: Quota | None) -> None:
        """Charge the batch and its new devices to the gateway's quotas. A batch that exceeds the quota `over` is parked
        instead: stored now, and unpacked when the quota allows it."""
        one = new.one
        if over is None:
            self._undiscovered -= devices
            self._charges.charge(one.gateway_name, need)
        else:
            self._charges.park(one.gateway_name, over, len(one.delivery.octets))
            new = replace(new, one=replace(one, content=ParkedPayload(over)))
            self._written.tally.parked += 1
        self._entered.append(new)

    def _new_devices(self, one: Opened) -> set[DeviceKey]:
        """Return the devices of this batch that are neither stored nor in an earlier batch of the group."""
        return self._undiscovered.intersection(device_keys_of(one)) if self._undiscovered else set()


def _signed_head(one: Opened) -> SignedHead:
    return SignedHead(
        sequence=one.batch.sequence,
        signature=one.envelope.signature,
        public_key=one.gateway.public_key,
        created_at_us=one.batch.created_at_us,
    )


def _newest(of_one_lane: Sequence[Opened]) -> Opened:
    """Return the batch by which the epoch (life of the gateway's store) of a lane is judged: a live batch if there is
    one, otherwise a historical one."""
    return next((one for one in of_one_lane if not one.envelope.historical), of_one_lane[0])
