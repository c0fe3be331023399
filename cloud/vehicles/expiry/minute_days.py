"""Delete the expired days of minute rows: a whole day at once where nothing of it is kept.

On PostgreSQL a day is a partition, which is dropped when the period of every tenant with values of that day is over and
no narrow hold of them is in force. Otherwise, and on SQLite, rows are deleted in chunks.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, delete, func, literal, select, tuple_

from cloud.clinical.observations import (
    SYNCHRONISED_CLOCK_ID,
    HeldObservations,
    held_observations,
    lane_days,
    observation_minutes,
    observation_sources,
)
from cloud.foundation.db import CHUNK_ROWS, DayPartitions, Transaction, insert, literal_days
from cloud.foundation.retention import DAY_US, Amount, HoldScope, Terms
from cloud.vehicles.custody import lanes, removed_rows

ENTRIES_AT_ONCE = 100
"""Entries of `lane_days` that one step reads. It deletes the rows of the first ones, up to a chunk."""
KIND = literal("numerics")

_ROWS = observation_minutes.c
_DAYS = lane_days.c
_ENTRY = (_DAYS.lane_id, _DAYS.source_id, _DAYS.clock_id)


class MinuteDays:
    """The sweep of minute rows, which have the numerics of earlier days."""

    def __init__(self) -> None:
        self._partitions = DayPartitions(observation_minutes)
        self._day = 0
        self._after: tuple[int, int, int] = (0, 0, -1)
        self._walked: tuple[Terms, int] | None = None

    async def delete_chunk(self, tx: Transaction, terms: Terms, now_us: int) -> int:
        today = now_us // DAY_US
        if self._walked == (terms, today):
            return 0
        day = await self._next_day(tx)
        if day is None or not terms.periods() or day >= today - terms.periods()[0]:
            self._walked = terms, today
            self._begin(0)
            return 0
        if day != self._day:
            self._begin(day)
        tenants = await self._tenants(tx, day)
        expired = {one for one in tenants if (days := terms.days_of(one)) is not None and day < today - days}
        if expired == tenants and not any(terms.holds_of(one) for one in tenants):
            await self._delete_day(tx, day)
            return 1
        if not expired or not await self._delete_some(tx, terms, day, expired):
            self._begin(day + 1)
        return 1

    async def oldest_us(self, tx: Transaction, terms: Terms, now_us: int) -> int | None:
        today = now_us // DAY_US
        day = None if self._walked == (terms, today) else await self._next_day(tx)
        if day is None:
            return None
        ends = [
            day + days + 1
            for one in await self._tenants(tx, day)
            if (days := terms.days_of(one)) is not None and day < today - days
        ]
        return min(ends) * DAY_US if ends else None

    async def count_before(self, tx: Transaction, tenant_id: str, before_us: int) -> Amount:
        statement = (
            select(func.coalesce(func.sum(_ROWS.value_count), 0), func.coalesce(func.sum(func.length(_ROWS.body)), 0))
            .select_from(observation_minutes)
            .join(observation_sources, observation_sources.c.source_id == _ROWS.source_id)
            .where(observation_sources.c.tenant_id == tenant_id, _ROWS.day < before_us // DAY_US)
        )
        row = (await tx.execute(statement)).first()
        assert row is not None, "an aggregate always gives a row"
        return Amount(int(row[0]), int(row[1]))

    def _begin(self, day: int) -> None:
        self._day, self._after = day, (0, 0, -1)

    async def _next_day(self, tx: Transaction) -> int | None:
        found = (await tx.execute(select(func.min(_DAYS.day)).where(_DAYS.day >= self._day))).scalar()
        return None if found is None else int(found)

    async def _tenants(self, tx: Transaction, day: int) -> set[str]:
        of_source = observation_sources.c.source_id == _DAYS.source_id
        statement = select(observation_sources.c.tenant_id).select_from(lane_days).join(observation_sources, of_source)
        return {row.tenant_id for row in await tx.execute(statement.where(_DAYS.day == day).distinct())}

    async def _delete_day(self, tx: Transaction, day: int) -> None:
        """Delete a chunk of a day of which nothing is kept. On PostgreSQL this is the whole day."""
        if tx.dialect == "postgresql":
            if day in await self._partitions.days(tx):
                await self._partitions.drop(tx, day)
        else:
            key = list(observation_minutes.primary_key.columns)
            chunk = select(*key).where(_ROWS.day == day).limit(CHUNK_ROWS)
            done = await tx.execute(delete(observation_minutes).where(tuple_(*key).in_(chunk)))
            if done.rowcount == CHUNK_ROWS:
                return
        await self._note(tx, day)
        await tx.execute(delete(lane_days).where(_DAYS.day == day))

    async def _delete_some(self, tx: Transaction, terms: Terms, day: int, expired: set[str]) -> bool:
        """Delete a chunk of the rows of expired tenants that no hold keeps. Return False at the end of the day."""
        entries = await self._entries(tx, day)
        for entry in entries:
            if entry.tenant_id in expired and not _is_gateway_held(entry, terms):
                held = await held_observations(tx, entry.tenant_id, terms.holds_of(entry.tenant_id))
                if await self._delete_entry(tx, day, entry, held) == CHUNK_ROWS:
                    return True
            self._after = entry.lane_id, entry.source_id, entry.clock_id
        return len(entries) == ENTRIES_AT_ONCE

    async def _entries(self, tx: Transaction, day: int) -> Sequence[Row[Any]]:
        statement = (
            select(*_ENTRY, observation_sources.c.tenant_id, lanes.c.gateway_id)
            .select_from(lane_days)
            .join(observation_sources, observation_sources.c.source_id == _DAYS.source_id)
            .join(lanes, lanes.c.lane_id == _DAYS.lane_id)
            .where(_DAYS.day == day, tuple_(*_ENTRY) > self._after)
            .order_by(*_ENTRY)
            .limit(ENTRIES_AT_ONCE)
        )
        return (await tx.execute(statement)).rows

    async def _delete_entry(self, tx: Transaction, day: int, entry: Row[Any], held: HeldObservations) -> int:
        """Delete up to a chunk of the minute rows of one lane, source and clock; return the number deleted."""
        clock_id = func.coalesce(_ROWS.clock_id, SYNCHRONISED_CLOCK_ID)
        # With the day in the text, PostgreSQL locks no other partition, such as one that is written again.
        of_day = _ROWS.day.in_(literal_days([day]))
        here = [
            of_day,
            _ROWS.lane_id == entry.lane_id,
            _ROWS.source_id == entry.source_id,
            clock_id == entry.clock_id,
        ]
        key = list(observation_minutes.primary_key.columns)
        chunk = select(*key).where(*here).limit(CHUNK_ROWS)
        if held:
            unsure = clock_id != SYNCHRONISED_CLOCK_ID
            times = (_ROWS.source_id, _ROWS.observed_from_us, _ROWS.observed_to_us)
            chunk = chunk.where(~held.overlapping(*times, unsure))
        await self._note(tx, day, entry.lane_id)
        gone = delete(observation_minutes).where(of_day, tuple_(*key).in_(chunk))
        deleted = (await tx.execute(gone)).rowcount
        left = (await tx.execute(select(_ROWS.day).where(*here).limit(1))).first()
        if left is None:
            mine = and_(*(column == value for column, value in zip(_ENTRY, entry, strict=False)))
            await tx.execute(delete(lane_days).where(_DAYS.day == day, mine))
        return deleted

    async def _note(self, tx: Transaction, day: int, lane_id: int | None = None) -> None:
        """Record up to which batch the values of a day, or of one of its lanes, are past their period."""
        through = select(_DAYS.lane_id, KIND, func.max(_DAYS.last_sequence)).where(_DAYS.day == day)
        if lane_id is not None:
            through = through.where(_DAYS.lane_id == lane_id)
        table = removed_rows.c
        new = insert(removed_rows).from_select(["lane_id", "kind", "through_sequence"], through.group_by(_DAYS.lane_id))
        await tx.execute(
            new.on_conflict_do_update(
                index_elements=[table.lane_id, table.kind],
                set_={"through_sequence": new.excluded.through_sequence},
                where=table.through_sequence < new.excluded.through_sequence,
            )
        )


def _is_gateway_held(entry: Row[Any], terms: Terms) -> bool:
    held = ((one.scope, one.object_id) for one in terms.holds_of(entry.tenant_id))
    return (HoldScope.GATEWAY, entry.gateway_id) in held
