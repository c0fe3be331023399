"""Move numerics from single rows to rows of a channel and minute.

A single row of a numeric takes some hundred bytes with its place in the indexes, a minute row about fifteen for each
value. Single rows suit the days in which values arrive late and are read most. With both, the table of single rows
stays small, whatever the period of retention is.

A step takes the first rows of one lane, so it reads and deletes one short range of the primary key. It adds the minute
rows and deletes the single rows in one transaction. So a reader sees each value exactly once, whatever happens, and a
step that fails changes nothing; the next one begins at the first single row that is left. Nothing else has to be
remembered. Before the commit, the step decodes the minute rows and compares every value with the single row.

Values become due some days after the day (UTC) of their arrival, so that a day's values come together. After an
upgrade from a release without minute rows, nothing is due for the same number of days, so that an operator can go back
to that release with all values. Posted observations and waveforms are not moved.
"""

from collections.abc import Sequence

from cloud.clinical.observations.arrival_days import MINUTE_DAYS
from cloud.clinical.observations.minutes.body import BodyEncoder, MinuteValue
from cloud.clinical.observations.minutes.rows import (
    DAY_US,
    MINUTE_US,
    SPAN_SEQUENCES_MAX,
    MinuteRow,
    check_equal,
    lane_days_of,
    minute_rows,
)
from cloud.clinical.observations.minutes.store import MinuteStore, add_lane_days
from cloud.clinical.observations.received_batches import ReceivedBatches
from cloud.foundation.db import Transaction
from cloud.foundation.errors import DomainError

STEP_ROWS = 4_096
"""Single rows of one step: three minutes of a vehicle with 20 values a second. The step occupies SQLite's only writer
for about 0.1 s (measured)."""


class CompactionInterrupted(DomainError, code="compaction_interrupted", status=503):
    """The single rows changed while they were moved, so they were not moved. The next run tries again."""


class Compaction:
    """Moves the numerics of gateways that the cloud stored more than `after_days` whole days ago. On PostgreSQL, only
    one process at a time moves rows."""

    def __init__(self, received: ReceivedBatches, after_days: int) -> None:
        self._store = MinuteStore(received)
        self._after_days = after_days
        self._encoder = BodyEncoder()
        self._lane_id = 0
        """The lane of the last step. Lanes take turns."""

    async def step(self, tx: Transaction, now_us: int) -> int:
        """Move up to `STEP_ROWS` rows of the next lane; return their number, 0 when no lane has rows that are due or
        another process is moving rows."""
        today = now_us // DAY_US
        if not await self._store.begin(tx) or await self._store.since(tx, today) > today - self._after_days:
            return 0
        before_us = (today - self._after_days) * DAY_US
        lane_id = await self._store.next_due(tx, after=self._lane_id, before_us=before_us)
        if lane_id is None and self._lane_id:
            lane_id = await self._store.next_due(tx, after=0, before_us=before_us)
        self._lane_id = lane_id or 0
        return 0 if lane_id is None else await self._move(tx, lane_id, before_us, today)

    async def _move(self, tx: Transaction, lane_id: int, before_us: int, today: int) -> int:
        found = await self._store.first_rows(tx, lane_id, limit=STEP_ROWS)
        moved, open_from_us = _closed(found, before_us)
        rows = minute_rows(moved, self._encoder, today)
        await self._add_days(tx, rows)
        check_equal(moved, rows)
        deleted = await self._store.replace(tx, moved, rows, before_us=open_from_us)
        if deleted != len(moved):
            raise CompactionInterrupted
        await add_lane_days(tx, lane_days_of(rows))
        return deleted

    async def _add_days(self, tx: Transaction, rows: Sequence[MinuteRow]) -> None:
        """Add the partitions that these rows need and that are missing. They come with their first rows, so a partition
        without rows is one whose rows were deleted."""
        if tx.dialect == "postgresql":
            for day in sorted({row.day for row in rows}.difference(await MINUTE_DAYS.days(tx))):
                await MINUTE_DAYS.add(tx, day)


def _closed(found: Sequence[MinuteValue], before_us: int) -> tuple[list[MinuteValue], int | None]:
    """Return the rows of a step, and the observed time from which on rows are left for the next step (None: none are
    left). If more rows follow, the last minute is left, so that it is not divided."""
    first = found[0]
    due: list[MinuteValue] = []
    for one in found:
        if one.stored_at_us >= before_us or one.sequence - first.sequence > SPAN_SEQUENCES_MAX:
            return due, None
        due.append(one)
    if len(found) < STEP_ROWS:
        return due, None
    open_from_us = due[-1].observed_at_us // MINUTE_US * MINUTE_US
    closed = [one for one in due if one.observed_at_us < open_from_us]
    # A device's clock may stand still or jump. Then progress matters more than whole minutes.
    return (closed, open_from_us) if len(closed) > len(due) // 2 else (due, None)
