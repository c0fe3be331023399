"""Check the chain of custody of each lane (numbered stream of batches); change nothing. Results have sequence numbers
and counts, never measurements.
"""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence, Set
from dataclasses import dataclass

from sqlalchemy import func, select

from cloud.clinical.waveforms import Run, StoredRun, WaveformEnvelopes, WaveformIndex
from cloud.foundation.db import Database, Records, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ObjectStore
from cloud.foundation.viewer import Viewer
from cloud.vehicles.custody import (
    ErasureSeals,
    Removal,
    RemovalCause,
    RemovedRange,
    batches,
    gap_ranges,
    lanes,
    quarantine_overflows,
    quarantined_batches,
)
from cloud.vehicles.erasure import ErasureStore
from cloud.vehicles.fleet import GatewayDirectory
from cloud.vehicles.verification.lane_audit import HeldEnvelope, LaneAudit, LaneReport
from cloud.vehicles.verification.packed_audit import compare_index
from cloud.vehicles.verification.row_audit import RowAudit
from protocols.provenance.hash_chain import genesis
from protocols.uplink.lanes import Lane

PAGE_ROWS = 100
"""Envelopes in one page: 100 MB of the largest envelopes, a few MB of ordinary ones."""

PAGE_RUNS = 16
"""Runs of packed waveforms in one page: 32 MB of the largest runs."""


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
        viewer: Viewer,
        *,
        objects: ObjectStore | None = None,
        seals: ErasureSeals | None = None,
        with_rows: bool = False,
    ) -> None:
        self._seals = seals
        self._with_rows = with_rows
        self._database = database
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
        proved = await self._proved_erasures()
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
            async with self._database.read() as tx:
                removed = await self._removal.ranges(tx, row.lane_id)
            for one in removed:
                if one.cause is RemovalCause.ERASURE and not self._is_proved(one, proved):
                    what = "recorded as erased, and the master key does not prove that this cloud erased it"
                    report.find(what, one.first_sequence, one.last_sequence)
            async for segment, after, through in self._segments(row.lane_id, report, removed):
                audit.segment(segment, [one for one in removed if after < one.first_sequence <= through])
                if rows_audit is not None:
                    await rows_audit.segment(segment)
            if rows_audit is not None:
                await rows_audit.end()
            if report.through < row.through_sequence:
                report.find("acknowledged, but not there", report.through + 1, row.through_sequence)
            yield report

    async def _proved_erasures(self) -> Set[str]:
        """Return the ids of the erasures that the master key proves."""
        if self._seals is None:
            return frozenset()
        async with self._database.read() as tx:
            found = await ErasureStore().of_tenant(tx, self._viewer.tenant_id)
        return {one.erasure_id for one in found if one.is_proved_by(self._seals)}

    def _is_proved(self, removed: RemovedRange, erasures: Set[str]) -> bool:
        return self._seals is not None and removed.erasure_id in erasures and self._seals.proves(removed)

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

    async def _segments(
        self, lane_id: int, report: LaneReport, removed: Sequence[RemovedRange]
    ) -> AsyncIterator[tuple[list[HeldEnvelope], int, int]]:
        """Yield the envelopes of a lane by sequence, in segments of about one page, each with the sequence numbers
        after which it begins and with which it ends. A segment never ends within a gap record's range or a removed
        range, because these are judged with the batches that they overlap, nor within a run of packed waveforms, which
        is read at once. A run that cannot be read is a finding."""
        async with self._database.read() as tx:
            spans = await tx.execute(
                select(gap_ranges.c.sequence, gap_ranges.c.through_sequence)
                .where(gap_ranges.c.lane_id == lane_id)
                .order_by(gap_ranges.c.sequence)
            )
        ranges = [(one.first_sequence, one.last_sequence) for one in removed]
        gaps = sorted([*((row.sequence, row.through_sequence) for row in spans), *ranges])
        after = 0
        while True:
            # One snapshot for a segment, since batches move between rows and runs meanwhile.
            async with self._database.read() as tx:
                through = await self._end(tx, lane_id, after, gaps)
                found = await self._rows_in(tx, lane_id, after, through)
                runs = await self._runs_in(tx, lane_id, after, through)
            if through == after:
                return
            found += await self._packed(runs, after, report)
            yield [one for one in found if one.envelope or not _is_removed(one.sequence, removed)], after, through
            after = through

    async def _end(self, tx: Transaction, lane_id: int, after: int, gaps: Sequence[tuple[int, int]]) -> int:
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
            return await self._uncut(tx, lane_id, min(ends), gaps)
        last: list[int] = [*(row.sequence for row in page), *(run.through_sequence for run in runs)]
        return max([after, *last, *(last for _, last in gaps)])

    async def _uncut(self, tx: Transaction, lane_id: int, through: int, gaps: Sequence[tuple[int, int]]) -> int:
        """Return the end of a segment: `through`, or the end of the gap record's range or the run in which it lies."""
        while True:
            end = _uncut(through, gaps)
            runs = await self._index.overlapping(tx, [(lane_id, end, end)])
            end = max([end, *(run.through_sequence for run in runs)])
            if end == through:
                return end
            through = end

    async def _rows_in(self, tx: Transaction, lane_id: int, after: int, through: int) -> list[HeldEnvelope]:
        found: list[HeldEnvelope] = []
        for table in (batches, gap_ranges):
            here = (table.c.lane_id == lane_id, table.c.sequence > after, table.c.sequence <= through)
            records = Records(HeldEnvelope, table)
            found += await records.all(tx, records.select().where(*here))
        return found

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


def _held_in(run: Run, envelopes: Sequence[bytes]) -> list[HeldEnvelope]:
    return [
        HeldEnvelope(
            sequence=sequence, hash=run.hash_of(sequence), envelope=envelope, received_at_us=run.received_at_us
        )
        for sequence, envelope in enumerate(envelopes, start=run.sequence)
    ]


def _uncut(through: int, gaps: Sequence[tuple[int, int]]) -> int:
    """Return the end of a segment: `through`, or the end of a gap record's range if `through` lies
    within that range."""
    for first, last in gaps:
        if first <= through < last:
            through = last
    return through


async def count_of_unknown_senders(database: Database) -> Sequence[QuarantineCount]:
    """Count the batches above the common limit of all senders that are no registered gateway, by reason. They belong
    to no tenant, so no viewer's counts include them."""
    over = quarantine_overflows.c
    statement = select(over.gateway_id, over.reason, over.times).where(over.tenant_id == "").order_by(over.reason)
    async with database.read() as tx:
        return [QuarantineCount(row.gateway_id, row.reason, 0, row.times) for row in await tx.execute(statement)]
