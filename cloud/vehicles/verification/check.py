"""Check the chain of custody of each lane (numbered stream of batches); change nothing. Results have sequence numbers
and counts, never measurements.
"""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence, Set
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, func, select, union_all

from cloud.clinical.waveforms import Run, StoredRun, WaveformEnvelopes, WaveformIndex
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Records, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ObjectStore
from cloud.foundation.viewer import Viewer
from cloud.vehicles.custody import (
    ErasureSeals,
    LaneMarks,
    Removal,
    RemovalCause,
    RemovedRange,
    batches,
    gap_ranges,
    lanes,
    quarantine_overflows,
    quarantined_batches,
    removed_ranges,
)
from cloud.vehicles.erasure import ErasureStore
from cloud.vehicles.fleet import GatewayDirectory
from cloud.vehicles.verification.lane_audit import HeldEnvelope, LaneAudit, LaneReport, Segment
from cloud.vehicles.verification.packed_audit import compare_index
from cloud.vehicles.verification.row_audit import RowAudit
from protocols.provenance.hash_chain import genesis
from protocols.uplink.lanes import Lane

PAGE_ROWS = 100
"""Envelopes in one page: 100 MB of the largest envelopes, a few MB of ordinary ones."""

PAGE_RUNS = 16
"""Runs of packed waveforms in one page: 32 MB of the largest runs."""

_gap, _removed = gap_ranges.c, removed_ranges.c
_spans = union_all(
    select(_gap.lane_id, _gap.sequence.label("first"), _gap.through_sequence.label("last")),
    select(_removed.lane_id, _removed.first_sequence, _removed.last_sequence),
).subquery()
_SPAN_END = select(func.max(_spans.c.last))

# A gap record that arrived after the segment before was read may begin in that segment.
_BATCHES: tuple[Table, ColumnElement[int]] = (batches, batches.c.sequence)
_GAPS: tuple[Table, ColumnElement[int]] = (gap_ranges, gap_ranges.c.through_sequence)


@dataclass(frozen=True, slots=True)
class QuarantineCount:
    """The number of quarantined batches of a gateway for one reason: `kept` counts batches that have a row, `beyond`
    batches above the limit, which have none. `gateway_id` is "" for the batches above the common limit of all senders
    that are no registered gateway."""

    gateway_id: str
    reason: str
    kept: int
    beyond: int


class CustodyCheck:
    """Check the chains of custody that a viewer may see. `objects` is the object store of the settings, which has the
    envelopes of waveforms, and those of numerics after some days. `seals` verify the records of erasures; None: such
    records are findings. `with_rows`: also compare the unpacked rows with the envelopes."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        viewer: Viewer,
        *,
        objects: ObjectStore | None = None,
        seals: ErasureSeals | None = None,
        with_rows: bool = False,
    ) -> None:
        self._seals = seals
        self._with_rows = with_rows
        self._database = database
        self._clock = clock
        self._proved: Set[str] = frozenset()
        self._index = WaveformIndex()
        self._envelopes = WaveformEnvelopes(objects)
        self._viewer = viewer
        self._directory = GatewayDirectory()
        self._removal = Removal()

    async def reports(self, gateway_id: str | None = None) -> AsyncIterator[LaneReport]:
        """Yield a report for each lane, ordered by gateway, epoch (one life of the gateway's store) and lane.
        `gateway_id` None: all gateways that the viewer may see."""
        async with self._database.read() as tx:
            gateways = {one.id: one for one in await self._directory.list(tx, self._viewer)}
            wanted = select(lanes).where(lanes.c.tenant_id == self._viewer.tenant_id)
            if gateway_id is not None:
                wanted = wanted.where(lanes.c.gateway_id == gateway_id)
            rows = await tx.execute(wanted.order_by(lanes.c.gateway_id, lanes.c.epoch, lanes.c.lane))
        for row in rows:
            gateway = gateways.get(row.gateway_id)
            if gateway is None:
                continue  # the viewer may not see its organisation
            report = LaneReport(tenant_id=row.tenant_id, gateway_id=row.gateway_id, epoch=row.epoch, lane=row.lane)
            async with self._database.read() as tx:
                former = await self._directory.former_keys(tx, gateway)
            chain = genesis(row.gateway_id, row.epoch, row.lane)
            audit = LaneAudit(report, gateway.public_key, chain, former)
            rows_audit = RowAudit(self._database, row.lane_id, report) if self._with_rows else None
            async for segment in self._segments(row.lane_id, report):
                for one in segment.removed:
                    if one.cause is RemovalCause.ERASURE and not await self._is_proved(one):
                        what = "recorded as erased, and the master key does not prove that this cloud erased it"
                        report.find(what, one.first_sequence, one.last_sequence)
                audit.segment(segment)
                if rows_audit is not None:
                    await rows_audit.segment(segment.held)
            if rows_audit is not None:
                await rows_audit.end()
            audit.end(segment.marks)
            yield report

    async def _proved_erasures(self) -> Set[str]:
        """Return the ids of the erasures that the master key proves."""
        if self._seals is None:
            return frozenset()
        async with self._database.read() as tx:
            found = await ErasureStore().of_tenant(tx, self._viewer.tenant_id)
        return {one.erasure_id for one in found if one.is_proved_by(self._seals)}

    async def _is_proved(self, removed: RemovedRange) -> bool:
        if removed.erasure_id not in self._proved:
            self._proved = await self._proved_erasures()  # it may have begun after the check
        return self._seals is not None and removed.erasure_id in self._proved and self._seals.proves(removed)

    async def quarantine(self, gateway_id: str | None = None) -> Sequence[QuarantineCount]:
        """Count the quarantined batches of a gateway (`gateway_id` None: of all gateways) by gateway and reason.
        Batches of unknown senders count under the gateway ids that they claimed."""
        rows, over = quarantined_batches.c, quarantine_overflows.c
        kept = select(rows.gateway_id, rows.reason, func.count().label("kept")).where(
            rows.tenant_id == self._viewer.tenant_id
        )
        beyond = select(over.gateway_id, over.reason, over.times).where(over.tenant_id == self._viewer.tenant_id)
        if gateway_id is not None:
            kept = kept.where(rows.gateway_id == gateway_id)
            beyond = beyond.where(over.gateway_id == gateway_id)
        async with self._database.read() as tx:
            counted = {(row.gateway_id, row.reason): row.times for row in await tx.execute(beyond)}
            found = await tx.execute(kept.group_by(rows.gateway_id, rows.reason))
        stored = {(row.gateway_id, row.reason): row.kept for row in found}
        # A gateway's limit counts all reasons, so a reason may have no row at all.
        return [
            QuarantineCount(*key, stored.get(key, 0), counted.get(key, 0)) for key in sorted(stored.keys() | counted)
        ]

    async def _segments(self, lane_id: int, report: LaneReport) -> AsyncIterator[Segment]:
        """Yield a lane in segments of about one page, by sequence. The last one is empty. A segment never ends within a
        gap record's range or a removed range, because these are judged with the batches that they overlap, nor within a
        run of packed waveforms, which is read at once. A run that cannot be read is a finding."""
        after, through = -1, 0
        while after < through:
            after = through
            # One snapshot for a segment, since batches arrive, are removed, and move between rows and runs meanwhile.
            async with self._database.read() as tx:
                through = await self._end(tx, lane_id, after)
                rows = await self._rows_in(tx, lane_id, after, through, _BATCHES)
                gaps = await self._rows_in(tx, lane_id, after, through, _GAPS)
                runs = await self._runs_in(tx, lane_id, after, through)
                removed = await self._removal.ranges(tx, lane_id, after=after, through=through)
                marks = await self._marks(tx, lane_id)
            read_at_us = self._clock.now_us()
            _find_doubled(rows, runs, report)
            found = [*rows, *gaps, *await self._packed(runs, after, report)]
            held = [one for one in found if one.envelope or not _is_removed(one.sequence, removed)]
            yield Segment(held=held, removed=removed, marks=marks, read_at_us=read_at_us, after=after)

    async def _marks(self, tx: Transaction, lane_id: int) -> LaneMarks:
        statement = select(lanes.c.through_sequence, lanes.c.ahead).where(lanes.c.lane_id == lane_id)
        row = (await tx.execute(statement)).first()
        assert row is not None, "a lane is never deleted"
        return LaneMarks.of(row.through_sequence, row.ahead)

    async def _end(self, tx: Transaction, lane_id: int, after: int) -> int:
        """Return the end of the segment that begins after `after`; `after` itself if nothing follows."""
        page = await tx.execute(
            select(batches.c.sequence)
            .where(batches.c.lane_id == lane_id, batches.c.sequence > after)
            .order_by(batches.c.sequence)
            .limit(PAGE_ROWS)
        )
        runs = [one.run for one in await self._runs_after(tx, lane_id, after)]
        ends = [
            *([page.rows[-1].sequence] if len(page) == PAGE_ROWS else []),
            *([runs[-1].through_sequence] if len(runs) == PAGE_RUNS else []),
        ]
        if ends:
            return await self._uncut(tx, lane_id, min(ends))
        last: list[int] = [*(row.sequence for row in page), *(run.through_sequence for run in runs)]
        span_end = (await tx.execute(_SPAN_END.where(_spans.c.lane_id == lane_id))).scalar()
        return max([after, *last, span_end or 0])

    async def _uncut(self, tx: Transaction, lane_id: int, through: int) -> int:
        """Return the end of a segment: `through`, or the end of the gap record's range, the removed range or the run in
        which it lies."""
        while True:
            around = (_spans.c.lane_id == lane_id, _spans.c.first <= through, _spans.c.last > through)
            end = (await tx.execute(_SPAN_END.where(*around))).scalar() or through
            runs = await self._index.overlapping(tx, [(lane_id, end, end)])
            end = max([end, *(run.through_sequence for run in runs)])
            if end == through:
                return end
            through = end

    async def _rows_in(
        self, tx: Transaction, lane_id: int, after: int, through: int, of: tuple[Table, ColumnElement[int]]
    ) -> Sequence[HeldEnvelope]:
        table, last = of
        here = (table.c.lane_id == lane_id, last > after, table.c.sequence <= through)
        records = Records(HeldEnvelope, table)
        return await records.all(tx, records.select().where(*here))

    async def _runs_after(self, tx: Transaction, lane_id: int, after: int) -> list[StoredRun]:
        """Return the next runs that end after `after`. The first one begins before it if batches of the segment before
        have moved to it meanwhile."""
        around = await self._index.overlapping(tx, [(lane_id, after + 1, after + 1)])
        before = min([after, *(run.sequence - 1 for run in around)])
        return await self._index.of_lane(tx, lane_id, after=before, limit=PAGE_RUNS)

    async def _runs_in(self, tx: Transaction, lane_id: int, after: int, through: int) -> list[StoredRun]:
        found: list[StoredRun] = []
        while True:
            page = await self._runs_after(tx, lane_id, after)
            due = [one for one in page if one.run.sequence <= through]
            found += due
            if len(due) < PAGE_RUNS:
                return found
            after = due[-1].run.through_sequence

    async def _packed(self, runs: Sequence[StoredRun], after: int, report: LaneReport) -> list[HeldEnvelope]:
        """Return the batches of runs that follow `after`."""
        found: list[HeldEnvelope] = []
        async for stored, envelopes in self._envelopes.read_all(runs):
            if isinstance(envelopes, DomainError):
                sentence = f"its packed object cannot be read: {envelopes.sentence}"
                report.find(sentence, stored.run.sequence, stored.run.through_sequence)
                continue
            found += [one for one in _held_in(stored.run, envelopes) if one.sequence > after]
            if self._with_rows and report.lane == Lane.WAVEFORM.value:
                async with self._database.read() as tx:
                    await compare_index(tx, stored.run, envelopes, report)
        return found


def _is_removed(sequence: int, removed: Sequence[RemovedRange]) -> bool:
    """Return whether one of the ascending ranges has the sequence number. The row of a removed batch may stay, without
    its envelope."""
    place = bisect_right(removed, sequence, key=lambda one: one.first_sequence)
    return place > 0 and sequence <= removed[place - 1].last_sequence


def _find_doubled(rows: Sequence[HeldEnvelope], runs: Sequence[StoredRun], report: LaneReport) -> None:
    """Add a finding for the batches of a run that have rows of their own too, since readers get these values twice."""
    for run in (stored.run for stored in runs):
        doubled = [
            one.sequence for one in rows if one.envelope and run.sequence <= one.sequence <= run.through_sequence
        ]
        if doubled:
            what = f"{len(doubled)} batches are stored twice: with a row, and in a packed object"
            report.find(what, min(doubled), max(doubled))


def _held_in(run: Run, envelopes: Sequence[bytes]) -> list[HeldEnvelope]:
    return [
        HeldEnvelope(
            sequence=sequence, hash=run.hash_of(sequence), envelope=envelope, received_at_us=run.received_at_us
        )
        for sequence, envelope in enumerate(envelopes, start=run.sequence)
    ]


async def count_of_unknown_senders(database: Database) -> Sequence[QuarantineCount]:
    """Count the batches above the common limit of all senders that are no registered gateway, by reason. They belong
    to no tenant, so no viewer's counts include them."""
    over = quarantine_overflows.c
    statement = select(over.gateway_id, over.reason, over.times).where(over.tenant_id == "").order_by(over.reason)
    async with database.read() as tx:
        return [QuarantineCount(row.gateway_id, row.reason, 0, row.times) for row in await tx.execute(statement)]
