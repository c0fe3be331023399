"""Delete the expired data of one lane (numbered stream of batches): envelopes, and the rows unpacked from them."""

from collections.abc import Callable, Collection, Iterable, Sequence

from sqlalchemy import ColumnElement, ScalarSelect, Table, and_, delete, func, or_, select

from cloud.clinical.epcr import care_changes
from cloud.clinical.observations import HeldObservations, observations
from cloud.foundation.db import CHUNK_ROWS, Transaction, insert
from cloud.foundation.retention import Amount
from cloud.vehicles.custody import ChainRow, Content, Removal, batches, lanes, removed_ranges, removed_rows
from cloud.vehicles.expiry.lane_sweep import Step
from cloud.vehicles.ingest import gateway_events

BATCHES_AT_ONCE = 200
"""Batches of one step. Most have some kB, so SQLite frees a few thousand pages, which takes about 20 ms."""


class Envelopes:
    """The envelopes of batches. A batch that waits to be unpacked is kept."""

    def __init__(self) -> None:
        self._removal = Removal()

    def oldest_sequence(self) -> ScalarSelect[int]:
        rows = batches.c
        first = select(rows.sequence).where(rows.lane_id == lanes.c.lane_id, rows.content != Content.REMOVED.value)
        return first.order_by(rows.sequence).limit(1).correlate(lanes).scalar_subquery()

    async def delete_step(self, tx: Transaction, step: Step) -> int | None:
        marks = await self._removal.lock(tx, step.lane_id)
        found = await self._removal.oldest(tx, step.lane_id, after=step.sequence - 1, limit=BATCHES_AT_ONCE)
        expired: list[ChainRow] = []
        for row in found:
            if row.stored_at_us >= step.before_us:
                break
            expired.append(row)
        kept = await self._kept(tx, step, expired)
        await self._removal.remove(
            tx, step.lane_id, marks, [row for row in expired if row.sequence not in kept], step.now_us
        )
        return found[-1].sequence + 1 if len(expired) == BATCHES_AT_ONCE else None

    async def count(self, tx: Transaction, tenant_id: str, names: Collection[str], before_us: int) -> Amount:
        size = func.coalesce(func.sum(func.length(batches.c.envelope)), 0)
        statement = select(func.count(), size).select_from(batches).join(lanes, lanes.c.lane_id == batches.c.lane_id)
        row = (await tx.execute(statement.where(*_stored_before(tenant_id, names, before_us)))).first()
        assert row is not None, "an aggregate always gives a row"
        return Amount(int(row[0]), int(row[1]))

    async def _kept(self, tx: Transaction, step: Step, rows: Iterable[ChainRow]) -> set[int]:
        """Return the sequence numbers of the batches that wait to be unpacked, or that a hold keeps."""
        kept = {row.sequence for row in rows if row.content is Content.PARKED}
        if step.held:
            kept |= {
                row.sequence
                for row in rows
                if step.held.has_batch(row.vehicle_id, row.created_at_us, row.created_at_us)
            }
            table, numbers = observations.c, [row.sequence for row in rows]
            held = select(table.sequence).where(
                table.lane_id == step.lane_id, table.sequence.between(numbers[0], numbers[-1]), step.held.rows()
            )
            kept |= {row.sequence for row in await tx.execute(held.distinct())}
        return kept


class UnpackedRows:
    """The rows of a table that were unpacked from batches. `held` returns the condition that a hold keeps a row."""

    def __init__(self, kind: str, table: Table, held: Callable[[HeldObservations], ColumnElement[bool]]) -> None:
        self._kind = kind
        self._table = table
        self._held = held

    def oldest_sequence(self) -> ScalarSelect[int]:
        rows = self._table.c
        first = select(rows.sequence).where(rows.lane_id == lanes.c.lane_id).order_by(rows.sequence).limit(1)
        return first.correlate(lanes).scalar_subquery()

    async def delete_step(self, tx: Transaction, step: Step) -> int | None:
        end = await self._expired_through(tx, step)
        if end is None:
            return None
        here, sequence = self._table.c.lane_id == step.lane_id, self._table.c.sequence
        # Not more rows than one chunk, and the rest of the batch in which it ends.
        beyond = select(sequence).where(here, sequence >= step.sequence).order_by(sequence)
        last = (await tx.execute(beyond.offset(CHUNK_ROWS - 1).limit(1))).scalar()
        through = end if last is None else min(end, int(last))
        expired = [here, sequence.between(step.sequence, through)]
        await self._delete(tx, [*expired, ~self._held(step.held)] if step.held else expired)
        await self._note(tx, step.lane_id, through)
        following = select(sequence).where(here, sequence > through).order_by(sequence).limit(1)
        found = (await tx.execute(following)).scalar()
        return None if found is None else int(found)

    async def count(self, tx: Transaction, tenant_id: str, names: Collection[str], before_us: int) -> Amount:
        rows = self._table.c
        stored = and_(batches.c.lane_id == rows.lane_id, batches.c.sequence == rows.sequence)
        within = and_(
            removed_ranges.c.lane_id == rows.lane_id,
            rows.sequence.between(removed_ranges.c.first_sequence, removed_ranges.c.last_sequence),
        )
        removed = select(removed_ranges.c.lane_id).where(within, removed_ranges.c.stored_us < before_us).exists()
        statement = (
            select(func.count())
            .select_from(self._table)
            .join(lanes, lanes.c.lane_id == rows.lane_id)
            .outerjoin(batches, stored)
            .where(lanes.c.tenant_id == tenant_id, lanes.c.lane.in_(names))
            .where(or_(batches.c.stored_at_us < before_us, removed))
        )
        return Amount(int((await tx.execute(statement)).scalar()))

    async def _delete(self, tx: Transaction, expired: Sequence[ColumnElement[bool]]) -> None:
        """Delete the rows that meet these conditions."""
        await tx.execute(delete(self._table).where(*expired))

    async def _expired_through(self, tx: Transaction, step: Step) -> int | None:
        """Return the last sequence number, from the step's on, up to which all batches are known to be past their
        period. None if the step's batch is not."""
        ranges = removed_ranges.c
        covering = select(ranges.last_sequence, ranges.stored_us).where(
            ranges.lane_id == step.lane_id,
            ranges.last_sequence >= step.sequence,
            ranges.first_sequence <= step.sequence,
        )
        removed = (await tx.execute(covering.order_by(ranges.last_sequence).limit(1))).first()
        if removed is not None:
            return int(removed.last_sequence) if removed.stored_us < step.before_us else None
        stored = await Removal().oldest(tx, step.lane_id, after=step.sequence - 1, limit=BATCHES_AT_ONCE)
        end = None
        for number, row in enumerate(stored, step.sequence):
            if row.sequence != number or row.stored_at_us >= step.before_us:
                break
            end = number
        return end

    async def _note(self, tx: Transaction, lane_id: int, through: int) -> None:
        """Record that the rows up to a sequence number are past their period, for the comparison with envelopes."""
        table = removed_rows.c
        new = insert(removed_rows).values(lane_id=lane_id, kind=self._kind, through_sequence=through)
        await tx.execute(
            new.on_conflict_do_update(
                index_elements=[table.lane_id, table.kind],
                set_={"through_sequence": new.excluded.through_sequence},
                where=table.through_sequence < new.excluded.through_sequence,
            )
        )


def held_rows(held: HeldObservations) -> ColumnElement[bool]:
    """Return the condition on `observations` that a hold keeps a row."""
    return held.rows()


def held_events(held: HeldObservations) -> ColumnElement[bool]:
    """Return the condition on `gateway_events` that a hold keeps a row: the events of the vehicles near the time of the
    held observations."""
    return held.near(gateway_events.c.vehicle_id, gateway_events.c.at_us)


def held_changes(held: HeldObservations) -> ColumnElement[bool]:
    """Return the condition on `care_changes` that a hold keeps a row: the field changes of the held encounters, and
    those of the vehicles near the time of the held observations."""
    of_encounter = care_changes.c.encounter_id.in_(sorted(held.encounter_ids))
    return or_(of_encounter, held.near(care_changes.c.vehicle_id, care_changes.c.gateway_time_us))


def _stored_before(tenant_id: str, names: Collection[str], before_us: int) -> tuple[ColumnElement[bool], ...]:
    return (
        lanes.c.tenant_id == tenant_id,
        lanes.c.lane.in_(names),
        batches.c.stored_at_us < before_us,
        batches.c.content != Content.REMOVED.value,
    )
