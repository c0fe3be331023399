"""Delete the rows of expired runs of packed waveforms and numerics.

The envelopes of a run are in an object that others share. An object whose last run is deleted is marked as unused, and
`cloud.clinical.waveforms.sweeping` then removes it from the store. All waveforms of an object were stored in one
transaction, and all numerics on one day, so they expire together unless a hold keeps a run.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import ScalarSelect, func, select

from cloud.clinical.observations import held_runs
from cloud.clinical.waveforms import Run, WaveformIndex, waveform_runs, waveform_sources
from cloud.foundation.db import Transaction
from cloud.foundation.retention import Amount
from cloud.vehicles.custody import ChainRow, Content, Removal, lanes
from cloud.vehicles.expiry.lane_sweep import Step

RUNS_AT_ONCE = 64
"""Runs of one step: a minute of a live vehicle, and at most 16 384 batches of a backlog."""


class PackedRuns:
    """Runs of batches whose envelopes lie in objects."""

    def __init__(self) -> None:
        self._index = WaveformIndex()
        self._removal = Removal()

    def oldest_sequence(self) -> ScalarSelect[int]:
        runs = waveform_runs.c
        first = select(runs.sequence).where(runs.lane_id == lanes.c.lane_id).order_by(runs.sequence).limit(1)
        return first.correlate(lanes).scalar_subquery()

    async def delete_step(self, tx: Transaction, step: Step) -> int | None:
        marks = await self._removal.lock(tx, step.lane_id)
        stored = await self._index.of_lane(tx, step.lane_id, after=step.sequence - 1, limit=RUNS_AT_ONCE)
        found = [one.run for one in stored]
        expired: list[Run] = []
        for run in found:
            if run.stored_at_us >= step.before_us:
                break
            expired.append(run)
        kept = await self._held(tx, step, expired)
        gone = [run for run in expired if run.sequence not in kept]
        if gone:
            rows = [row for run in gone for row in _chain_rows(run)]
            await self._removal.leave_ends(tx, step.lane_id, marks, rows)
            await self._removal.remove(tx, step.lane_id, marks, rows, step.now_us)
            await self._index.remove(tx, step.lane_id, gone, step.now_us)
        return found[-1].through_sequence + 1 if len(expired) == RUNS_AT_ONCE else None

    async def count(self, tx: Transaction, tenant_id: str, names: Collection[str], before_us: int) -> Amount:
        runs = waveform_runs.c
        batches, size = func.sum(runs.through_sequence - runs.sequence + 1), func.sum(runs.size_bytes)
        statement = (
            select(func.coalesce(batches, 0), func.coalesce(size, 0))
            .select_from(waveform_runs)
            .join(lanes, lanes.c.lane_id == runs.lane_id)
            .where(lanes.c.tenant_id == tenant_id, lanes.c.lane.in_(names), runs.stored_at_us < before_us)
        )
        row = (await tx.execute(statement)).first()
        assert row is not None, "an aggregate always gives a row"
        return Amount(int(row[0]), int(row[1]))

    async def _held(self, tx: Transaction, step: Step, runs: Sequence[Run]) -> set[int]:
        """Return the first sequence numbers of the runs that a hold keeps. A run of numerics is kept as the rows of its
        batches would be."""
        if not step.held or not runs:
            return set()
        near = {
            run.sequence
            for run in runs
            if run.created_from_us is not None
            and run.created_until_us is not None
            and step.held.has_batch(run.vehicle_id, run.created_from_us, run.created_until_us)
        }
        spans = waveform_sources.c
        here = (spans.lane_id == step.lane_id, spans.sequence.between(runs[0].sequence, runs[-1].sequence))
        found = await tx.execute(select(spans.sequence).where(*here, held_runs(step.held)).distinct())
        return near | {row.sequence for row in found}


def _chain_rows(run: Run) -> list[ChainRow]:
    """Return the batches of a run as rows of the chain. The time at which the gateway made them is not known here."""
    rows: list[ChainRow] = []
    previous = run.previous_hash
    for sequence in range(run.sequence, run.through_sequence + 1):
        own = run.hash_of(sequence)
        rows.append(
            ChainRow(
                sequence=sequence,
                content=Content.ROWS,
                hash=own,
                previous_hash=previous,
                created_at_us=run.received_at_us,
                stored_at_us=run.stored_at_us,
                vehicle_id=run.vehicle_id,
            )
        )
        previous = own
    return rows
