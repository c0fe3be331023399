"""SQL statements that merge minute rows of the same channel and minute."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, Select, bindparam, delete, select, tuple_

from cloud.clinical.epcr import erased_encounters
from cloud.clinical.observations.received_batches import ReceivedBatches
from cloud.clinical.observations.tables import lane_days, observation_minutes
from cloud.foundation.db import GivenRows, Prepared, Transaction, given

_ROWS = observation_minutes.c
_KEY = (_ROWS.lane_id, _ROWS.first_sequence, _ROWS.first_position)


class RowKeyInDay(NamedTuple):
    """The key of a minute row among those of its day."""

    lane_id: int
    first_sequence: int
    first_position: int


class Head(NamedTuple):
    """The columns of a minute row by which rows belong together, without the values."""

    lane_id: int
    first_sequence: int
    first_position: int
    last_sequence: int
    source_id: int
    channel_id: int
    clock_id: int | None
    observed_from_us: int
    monotonic_from_us: int | None
    value_count: int

    @property
    def key(self) -> RowKeyInDay:
        return RowKeyInDay(self.lane_id, self.first_sequence, self.first_position)


_HEAD = [_ROWS[name] for name in Head._fields]
_gone = GivenRows("gone", lane_id=BigInteger(), first_sequence=BigInteger(), first_position=Integer())
_DELETE = Prepared(
    delete(observation_minutes).where(
        _ROWS.day == bindparam("day", type_=Integer()), tuple_(*_KEY).in_(_gone.rows(*RowKeyInDay._fields))
    )
)


class MergingStore:
    """Statements that read minute rows of a day from its last one to its first, and delete some of them."""

    def __init__(self, received: ReceivedBatches) -> None:
        self._lanes = received.lanes.c

    async def days(self, tx: Transaction, after: int, through: int) -> list[int]:
        """Return the days after `after`, up to `through`, that have minute rows, the latest one first."""
        day = lane_days.c.day
        found = await tx.execute(select(day).where(day > after, day <= through).distinct())
        return sorted((row.day for row in found), reverse=True)

    async def heads(self, tx: Transaction, day: int, from_: RowKeyInDay | None, limit: int) -> list[Head]:
        """Return the heads of rows of a day in descending order, from the row `from_` (None: from the last one)."""
        statement = _heads_of(day).order_by(*(column.desc() for column in _KEY)).limit(limit)
        if from_ is not None:
            statement = statement.where(tuple_(*_KEY) <= tuple(from_))
        return [Head(*row) for row in await tx.execute(statement)]

    async def first_heads(self, tx: Transaction, day: int, limit: int) -> list[Head]:
        """Return the heads of the first rows of a day, in ascending order."""
        return [Head(*row) for row in await tx.execute(_heads_of(day).order_by(*_KEY).limit(limit))]

    async def rows(self, tx: Transaction, day: int, keys: Sequence[RowKeyInDay]) -> dict[RowKeyInDay, Any]:
        """Return the whole rows of a day from the least to the greatest of these keys: those of a page at most."""
        statement = select(observation_minutes).where(
            _ROWS.day == day, tuple_(*_KEY) >= tuple(min(keys)), tuple_(*_KEY) <= tuple(max(keys))
        )
        found = await tx.execute(statement)
        return {RowKeyInDay(row.lane_id, row.first_sequence, row.first_position): row for row in found}

    async def delete(self, tx: Transaction, day: int, keys: Sequence[RowKeyInDay]) -> int:
        """Delete the rows of a day with these keys; return their number."""
        return await tx.driver.run(_DELETE, {"day": day, "gone": given([tuple(key) for key in keys])})

    async def erasing_lanes(self, tx: Transaction, lane_ids: Collection[int]) -> frozenset[int]:
        """Return those of these lanes whose tenant has an erasure at work."""
        erasing = select(erased_encounters.c.tenant_id).where(erased_encounters.c.phase != "done")
        statement = select(self._lanes.lane_id).where(
            self._lanes.lane_id.in_(sorted(lane_ids)), self._lanes.tenant_id.in_(erasing)
        )
        return frozenset(row.lane_id for row in await tx.execute(statement))


def _heads_of(day: int) -> Select[Any]:
    return select(*_HEAD).where(_ROWS.day == day)
