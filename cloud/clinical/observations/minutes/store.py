"""SQL statements that move numerics from single rows to minute rows."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Select, and_, case, delete, func, select, tuple_
from sqlalchemy.sql import ColumnElement

from cloud.clinical.observations.minutes.body import MinuteValue
from cloud.clinical.observations.minutes.rows import LaneDay, MinuteRow
from cloud.clinical.observations.received_batches import ReceivedBatches
from cloud.clinical.observations.tables import lane_days, minute_rows_since, observation_minutes, observations
from cloud.foundation.db import GivenRows, Prepared, Transaction, given, insert
from protocols.uplink.lanes import Lane

_SINGLE = observations.c
_LEAST = ("observed_from_us", "first_sequence")
_days = GivenRows("days", **dict.fromkeys(LaneDay._fields, BigInteger()))
# SQLite parses `ON` after a SELECT without WHERE as a join.
_new_days = insert(lane_days).from_select(
    LaneDay._fields, _days.rows(*LaneDay._fields).where(_days.c("lane_id").is_not(None))
)


def _wider(name: str) -> ColumnElement[int]:
    """Return the lesser or the greater of the new value of a column and the present one."""
    new, present = _new_days.excluded[name], lane_days.c[name]
    return case(((new < present) if name in _LEAST else (new > present), new), else_=present)


_ADD_LANE_DAYS = Prepared(
    _new_days.on_conflict_do_update(
        index_elements=list(lane_days.primary_key.columns),
        set_={name: _wider(name) for name in (*_LEAST, "observed_to_us", "last_sequence")},
    )
)
_LOCK = 0x617267757301
"""Key of the advisory lock: "argus" in ASCII and a number. The lock of migrations is "argus" alone."""
REWRITING_LOCK = 0x617267757302
"""Key of the advisory lock of programs that write minute rows again."""
DAY_LOCK = 0x617267757303
"""Key of the advisory lock of the program that writes whole days of minute rows again, which takes minutes. Others hold
`REWRITING_LOCK` for a short time, so they wait for it; those that find this one taken have nothing to do."""


class MinuteStore:
    """Statements of one transaction step: find a lane, read its oldest single rows, and replace them by minute rows."""

    def __init__(self, received: ReceivedBatches) -> None:
        lanes, batches = received.lanes.c, received.batches.c
        self._stored_at_us = func.coalesce(batches.stored_at_us, _SINGLE.received_at_us)
        self._of_batch = and_(batches.lane_id == _SINGLE.lane_id, batches.sequence == _SINGLE.sequence)
        self._batches = received.batches
        self._lanes = lanes

    async def begin(self, tx: Transaction) -> bool:
        """Return whether this transaction may move rows: on PostgreSQL, only one process at a time moves rows."""
        if tx.dialect != "postgresql":
            return True
        return await lock_days(tx)

    async def since(self, tx: Transaction, today: int) -> int:
        """Return the day from which on this database may get minute rows. At the first call, this is `today`."""
        found = await first_day_of_minute_rows(tx)
        if found is None:
            await tx.execute(insert(minute_rows_since).values(day=today))
        return today if found is None else found

    async def next_due(self, tx: Transaction, *, after: int, before_us: int) -> int | None:
        """Return the lowest lane id above `after` whose first single row was stored before `before_us`. Lanes of
        waveforms are left out."""
        first = self._of_lane(select(self._stored_at_us)).where(_SINGLE.lane_id == self._lanes.lane_id).limit(1)
        statement = (
            select(self._lanes.lane_id)
            .where(self._lanes.lane_id > after, self._lanes.lane != Lane.WAVEFORM.value)
            .where(first.correlate(self._lanes.lane_id.table).scalar_subquery() < before_us)
            .order_by(self._lanes.lane_id)
            .limit(1)
        )
        found = (await tx.execute(statement)).scalar()
        return None if found is None else int(found)

    async def first_rows(self, tx: Transaction, lane_id: int, *, limit: int) -> list[MinuteValue]:
        """Return the first single rows of a lane by sequence and position."""
        names = [name for name in MinuteValue._fields if name != "stored_at_us"]
        columns = select(*(_SINGLE[name] for name in names), self._stored_at_us)
        statement = self._of_lane(columns).where(_SINGLE.lane_id == lane_id).limit(limit)
        return [MinuteValue(*row) for row in await tx.execute(statement)]

    async def replace(
        self, tx: Transaction, moved: Sequence[MinuteValue], rows: Sequence[MinuteRow], *, before_us: int | None
    ) -> int:
        """Add the minute rows, and delete the single rows of their lane from the first to the last of `moved` that were
        observed before `before_us` (None: at any time). Return the number of deleted rows."""
        first, last = moved[0], moved[-1]
        await append_minutes(tx, rows)
        range_: list[ColumnElement[bool]] = [
            _SINGLE.lane_id == first.lane_id,
            _SINGLE.sequence >= first.sequence,
            tuple_(_SINGLE.sequence, _SINGLE.position) <= (last.sequence, last.position),
        ]
        if before_us is not None:
            range_.append(_SINGLE.observed_at_us < before_us)
        return (await tx.execute(delete(observations).where(*range_))).rowcount

    def _of_lane(self, columns: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
        return (
            columns.select_from(observations)
            .outerjoin(self._batches, self._of_batch)
            .order_by(_SINGLE.sequence, _SINGLE.position)
        )


async def first_day_of_minute_rows(tx: Transaction) -> int | None:
    """Return the day from which on this database may get minute rows; None before the first run of the job."""
    found = (await tx.execute(select(minute_rows_since.c.day))).scalar()
    return None if found is None else int(found)


async def append_minutes(tx: Transaction, rows: Sequence[MinuteRow]) -> None:
    """Add minute rows of new values."""
    await tx.driver.append(observation_minutes, MinuteRow._fields, rows)


async def add_lane_days(tx: Transaction, days: Sequence[LaneDay]) -> None:
    """Add entries of days, or widen the entries that exist."""
    await tx.driver.run(_ADD_LANE_DAYS, {"days": given([tuple(one) for one in days])})


async def lock_days(tx: Transaction) -> bool:
    """Return whether this transaction may add partitions, on PostgreSQL: only one process at a time does."""
    return bool((await tx.execute(select(func.pg_try_advisory_xact_lock(_LOCK)))).scalar())


async def lock_rewriting(tx: Transaction) -> bool:
    """Return whether this transaction may write minute rows again: on PostgreSQL, only one at a time may."""
    if tx.dialect != "postgresql":
        return True
    return bool((await tx.execute(select(func.pg_try_advisory_xact_lock(REWRITING_LOCK)))).scalar())


async def wait_to_rewrite(tx: Transaction) -> None:
    """Wait until this transaction may write minute rows again. Rows that it reads later do not change meanwhile."""
    if tx.dialect == "postgresql":
        await tx.execute(select(func.pg_advisory_xact_lock(REWRITING_LOCK)))
