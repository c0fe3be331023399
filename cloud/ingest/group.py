"""Write one group of opened deliveries in one transaction, and say what to answer.

The order is the same in every worker, so that two of them wait for each other and never in a circle: refusals, epochs
by gateway, then lanes by name, devices by id, and last the rows. Decisions are `lane_book`'s and `epochs`'; here they
become rows, quarantine, events and acknowledgements. A failure leaves nothing behind, and `service` decides what to
try next.

Observations of a batch whose link is broken are stored and marked, not held back: its signature is good, and a
reading of a patient is not lost because a hash disagrees. Quarantine and an event show it to whoever relies on the
chain.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from cloud.clock import Clock
from cloud.custody.lanes import LaneKey, LaneRow, LaneStore
from cloud.custody.links import ChainedBatch, LinkState
from cloud.custody.quarantine import Reason
from cloud.custody.store import Content, CustodyStore, ReceivedBatch
from cloud.db import Transaction
from cloud.devices import Devices
from cloud.events import Outbox
from cloud.fleet import RegisteredGateway
from cloud.ingest import event_types
from cloud.ingest.acks import ack_of
from cloud.ingest.aside import Aside
from cloud.ingest.epochs import judge_epoch
from cloud.ingest.lane_book import LaneBook
from cloud.ingest.opening import KeptPayload, Opened, Refused, UnreadablePayload
from cloud.ingest.store import EpochStore, append_events, event_row
from cloud.ingest.verdicts import (
    Ahead,
    Conflict,
    CurrentEpoch,
    Duplicate,
    Entry,
    NewEpoch,
    ReturnedEpoch,
    Scattered,
    Stored,
)
from cloud.observations.rows import ObservationColumns
from cloud.observations.store import Carrier, Numbers, ObservationWriter
from protocols.provenance.hash_chain import genesis
from protocols.uplink.acks import Ack
from protocols.uplink.events import GatewayEvent
from protocols.uplink.gaps import Gap
from protocols.uplink.observations import DeviceRef

DeviceName = tuple[str, str, DeviceRef]
"""Tenant, gateway, and how the device names itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgement for a gateway, to be sent once the transaction is durable."""

    tenant_id: str
    gateway_id: str
    ack: Ack


@dataclass(slots=True)
class Tally:
    """What became of a group's batches, for logs and metrics. `observations` counts new rows."""

    stored: int = 0
    observations: int = 0
    duplicates: int = 0
    conflicts: int = 0
    scattered: int = 0
    refused: int = 0


@dataclass(slots=True)
class Written:
    """The outcome of a group. `learned` may be remembered once the transaction is durable."""

    answers: list[Answer] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    learned: dict[object, int] = field(default_factory=dict)


class GroupWriter:
    """One serves a whole process; what it remembers between groups are `numbers`, taught by the caller after the
    commit."""

    def __init__(self, *, devices: Devices, outbox: Outbox, numbers: Numbers, clock: Clock) -> None:
        self.devices = devices
        self.outbox = outbox
        self.numbers = numbers
        self.clock = clock
        self.lanes = LaneStore()
        self.epochs = EpochStore()
        self.custody = CustodyStore()

    async def write(self, tx: Transaction, opened: Sequence[Opened], refused: Sequence[Refused]) -> Written:
        """Everything about this group, inside the caller's transaction."""
        return await _GroupInHand(self, tx).write(opened, refused)


class _GroupInHand:
    """The work on one group in one transaction."""

    def __init__(self, writer: GroupWriter, tx: Transaction) -> None:
        self._writer = writer
        self._tx = tx
        self._now_us = writer.clock.now_us()
        self._written = Written()
        self._aside = Aside(tx, writer.outbox, self._now_us)
        self._observations = ObservationWriter(tx, writer.numbers)
        self._device_ids: dict[DeviceName, str] = {}
        self._received: list[ReceivedBatch] = []
        self._gaps: list[tuple[ReceivedBatch, Gap]] = []
        self._events: list[tuple[object, ...]] = []

    async def write(self, opened: Sequence[Opened], refused: Sequence[Refused]) -> Written:
        for one in refused:
            await self._aside.refused(one)
        self._written.tally.refused = len(refused)
        by_lane: defaultdict[LaneKey, list[Opened]] = defaultdict(list)
        for batch in opened:
            by_lane[_key(batch)].append(batch)
        lanes = sorted(by_lane)
        for gateway in sorted({(key.tenant_id, key.gateway_id) for key in lanes}):
            await self._judge_epochs([by_lane[key][0] for key in lanes if (key.tenant_id, key.gateway_id) == gateway])
        rows = {key: await self._writer.lanes.open_lane(self._tx, key) for key in lanes}
        await self._attach_devices(opened)
        moved = [await self._write_lane(key, rows[key], by_lane[key]) for key in lanes]
        if moved:
            await self._writer.lanes.save_marks(self._tx, moved)
        await self._observations.append()
        await append_events(self._tx, self._events)
        now_us = self._writer.clock.now_us()
        await self._writer.custody.append(self._tx, self._received, self._gaps, stored_at_us=now_us)
        self._written.learned = self._observations.learned
        return self._written

    async def _judge_epochs(self, of_each_lane: Sequence[Opened]) -> None:
        """One gateway's epochs; `of_each_lane` holds one batch of each of its lanes in the group."""
        for one in of_each_lane:
            key, epochs = _key(one), self._writer.epochs
            known = await epochs.of_gateway(self._tx, key.tenant_id, key.gateway_id)
            current = known[-1] if known else None
            verdict = judge_epoch(
                key.epoch,
                known=frozenset(epoch.epoch for epoch in known),
                current=current.epoch if current else None,
                current_since_us=current.began_us if current else 0,
                now_us=self._now_us,
            )
            match verdict:
                case CurrentEpoch():
                    pass
                case NewEpoch(replaces):
                    if await epochs.begin(self._tx, key, replaces=replaces, now_us=self._now_us):
                        await self._emit(one, event_types.EPOCH_STARTED, {"epoch": key.epoch, "replaces": replaces})
                case ReturnedEpoch(instead_of):
                    if await epochs.contest(self._tx, key, self._now_us):
                        told = {"epoch": key.epoch, "instead_of": instead_of}
                        await self._emit(one, event_types.IDENTITY_CONTESTED, told)
                case _:
                    assert_never(verdict)

    async def _attach_devices(self, opened: Sequence[Opened]) -> None:
        """In one order in all workers; a device's row is written when it was seen anew."""
        seen: dict[DeviceName, tuple[Opened, int]] = {}
        for one in opened:
            if isinstance(one.content, ObservationColumns):
                # The vehicle's clock may be in the future; a backlog is in the past, and says when it was seen.
                at_us = min(one.content.latest_us, one.delivery.received_at_us)
                for ref in one.content.sources:
                    known = seen.get((one.gateway.tenant_id, one.gateway.id, ref))
                    if known is None or known[1] < at_us:
                        seen[one.gateway.tenant_id, one.gateway.id, ref] = one, at_us
        for name in sorted(seen, key=lambda name: (name[0], name[2].system_id, name[1], name[2].model)):
            one, at_us = seen[name]
            self._device_ids[name] = await self._writer.devices.attach(self._tx, one.gateway, name[2], at_us)

    async def _write_lane(self, key: LaneKey, row: LaneRow, opened: Sequence[Opened]) -> tuple[int, Any]:
        """Judge and enter the batches of one lane, lowest sequence first; its id and new marks."""
        arrivals = sorted(((_chained(one), one) for one in opened), key=lambda pair: pair[0].sequence)
        near = {
            sequence + step
            for chained, _ in arrivals
            for sequence, steps in ((chained.sequence, (-1, 0)), (chained.through, (0, 1)))
            for step in steps
        }
        held = await self._writer.custody.neighbours(self._tx, row.lane_id, near)
        book = LaneBook(row.marks, genesis(key.gateway_id, key.epoch, key.lane.value), held)
        contested = row.contested
        tally = self._written.tally
        for chained, one in arrivals:
            verdict = book.judge(chained)
            match verdict:
                case Stored(entry) | Ahead(entry, _):
                    await self._enter(key, row.lane_id, one, entry)
                    tally.stored += 1
                case Duplicate():
                    tally.duplicates += 1
                case Conflict():
                    tally.conflicts += 1
                    await self._aside.authentic(one, Reason.CONFLICT, "another batch has this sequence", keep=True)
                    if await self._writer.lanes.contest_lane(self._tx, row.lane_id, self._now_us):
                        await self._emit(one, event_types.IDENTITY_CONTESTED, _place(one))
                    contested = True
                case Scattered():
                    tally.scattered += 1
                case _:
                    assert_never(verdict)
        # Told where the book knows it; the answer to a status always tells it.
        behind = book.hash_behind(book.marks.through)
        ack = ack_of(key.epoch, key.lane, book.marks, contested=contested, through_hash=behind)
        self._written.answers.append(Answer(key.tenant_id, key.gateway_id, ack))
        return row.lane_id, book.marks

    async def _enter(self, key: LaneKey, lane_id: int, one: Opened, entry: Entry) -> None:
        content = one.content
        received = ReceivedBatch(
            lane_id=lane_id,
            envelope=one.envelope,
            octets=one.delivery.octets,
            hash=one.hash,
            payload_hash=one.payload_hash,
            signed_by=one.signed_by,
            link=entry.link,
            content=_content_state(one),
            organization_id=one.gateway.organization_id,
            vehicle_id=one.gateway.vehicle_id,
            received_at_us=one.delivery.received_at_us,
            traceparent=one.traceparent,
        )
        if isinstance(content, Gap):
            self._gaps.append((received, content))
        else:
            self._received.append(received)
        match content:
            case ObservationColumns():
                new = await self._observations.add(
                    content,
                    lane_id=lane_id,
                    sequence=one.batch.sequence,
                    carriers=carriers_of(one.gateway, content, self._device_ids),
                )
                self._written.tally.observations += new
            case GatewayEvent():
                whose = {"organization_id": one.gateway.organization_id, "vehicle_id": one.gateway.vehicle_id}
                row = event_row(content, lane_id=lane_id, sequence=one.batch.sequence, key=key, **whose)
                self._events.append(row)
            case UnreadablePayload(reason):
                if await self._aside.authentic(one, Reason.UNREADABLE, reason, keep=False):
                    told = {**_place(one), "reason": reason}
                    await self._emit(one, event_types.BATCH_UNREADABLE, told)
            case Gap() | KeptPayload():
                pass
            case _:
                assert_never(content)
        if entry.link is LinkState.BROKEN:
            await self._tell_broken(one, one.batch.sequence, one.hash)
        if entry.resolved:
            await self._resolve(one, lane_id, entry.resolved)

    async def _resolve(self, one: Opened, lane_id: int, resolved: Sequence[ChainedBatch]) -> None:
        """Followers that were pending: always rows of earlier transactions, since a group is judged in order."""
        await self._writer.custody.resolve(self._tx, lane_id, resolved)
        for follower in resolved:
            if follower.link is LinkState.BROKEN:
                await self._tell_broken(one, follower.sequence, follower.hash)

    async def _tell_broken(self, one: Opened, sequence: int, hash_: bytes) -> None:
        await self._aside.broken(one, sequence, hash_)
        await self._emit(one, event_types.CHAIN_BROKEN, {**_place(one), "sequence": sequence})

    async def _emit(self, one: Opened, event_type: str, payload: Mapping[str, Any]) -> None:
        await self._writer.outbox.emit(
            self._tx,
            event_type,
            tenant=one.gateway.tenant_id,
            organization=one.gateway.organization_id,
            key=one.gateway.id,
            payload={"gateway_id": one.gateway.id, **payload},
            at_us=self._now_us,
            traceparent=one.traceparent,
        )


def carriers_of(
    gateway: RegisteredGateway, content: ObservationColumns, device_ids: Mapping[DeviceName, str]
) -> list[Carrier]:
    """Who carried what, in the order of the batch's sources."""
    return [
        Carrier(
            tenant_id=gateway.tenant_id,
            organization_id=gateway.organization_id,
            vehicle_id=gateway.vehicle_id,
            device_id=device_ids[gateway.tenant_id, gateway.id, ref],
            system_id=ref.system_id,
            model=ref.model,
        )
        for ref in content.sources
    ]


def _key(one: Opened) -> LaneKey:
    return LaneKey(one.gateway.tenant_id, one.gateway.id, one.batch.epoch, one.batch.lane)


def _place(one: Opened) -> dict[str, Any]:
    return {"epoch": one.batch.epoch, "lane": one.batch.lane.value, "sequence": one.batch.sequence}


def _chained(one: Opened) -> ChainedBatch:
    gap = one.content if isinstance(one.content, Gap) else None
    return ChainedBatch(
        sequence=one.batch.sequence,
        through=one.batch.sequence if gap is None else gap.through_sequence,
        hash=one.hash,
        previous_hash=one.batch.previous_hash,
        tail_hash=one.hash if gap is None else gap.chain_after,
        is_gap=gap is not None,
    )


def _content_state(one: Opened) -> Content:
    match one.content:
        case UnreadablePayload():
            return Content.UNREADABLE
        case KeptPayload():
            return Content.KEPT
        case _:
            return Content.ROWS
