"""Write the values of batches that arrived some seconds ago straight to minute rows.

Ingest writes the rows of some minutes of live batches together (slice `ingest`, `staging`), so the values of a channel
and minute need not be single rows first: these have six times as many bytes, with their places in the indexes. Values
that a reader needs sooner come in small groups and stay single rows, which `compaction` moves later.
"""

from collections.abc import Sequence

from cloud.clinical.observations.arrival_days import MINUTE_DAYS
from cloud.clinical.observations.minutes.body import BodyEncoder, MinuteValue
from cloud.clinical.observations.minutes.rows import (
    DAY_US,
    MinuteRow,
    check_equal,
    in_order_of_arrival,
    lane_days_of,
    minute_rows,
)
from cloud.clinical.observations.minutes.store import (
    add_lane_days,
    append_minutes,
    first_day_of_minute_rows,
    lock_days,
)
from cloud.foundation.db import Transaction


class ArrivingMinutes:
    """Writes minute rows of values that arrive, if this installation may have minute rows: from `after_days` whole days
    after the first run of a program that can read them, as `Compaction` does."""

    def __init__(self, after_days: int) -> None:
        self._after_days = after_days
        self._encoder = BodyEncoder()

    async def write(self, tx: Transaction, values: Sequence[MinuteValue]) -> bool:
        """Write these values of whole batches. Return False, and write nothing, if they are to be single rows."""
        now_us = max(one.stored_at_us for one in values)
        if not await self.admits(tx, now_us):
            return False
        ordered = sorted(values, key=in_order_of_arrival)
        rows = minute_rows(ordered, self._encoder, now_us // DAY_US)
        if not await self._has_days(tx, rows):
            return False
        check_equal(ordered, rows)
        await append_minutes(tx, rows)
        await add_lane_days(tx, lane_days_of(rows))
        return True

    async def admits(self, tx: Transaction, now_us: int) -> bool:
        """Return whether this installation may have minute rows now. On PostgreSQL they need the partition of the day,
        which an account that may not create tables cannot add."""
        today = now_us // DAY_US
        since = await first_day_of_minute_rows(tx)
        if since is None or since > today - self._after_days:
            return False
        return tx.dialect != "postgresql" or await MINUTE_DAYS.has(tx, today) or await MINUTE_DAYS.may_add(tx)

    async def _has_days(self, tx: Transaction, rows: Sequence[MinuteRow]) -> bool:
        """Return whether the partitions of these rows exist; add them, unless another process is adding some."""
        if tx.dialect != "postgresql":
            return True
        missing = {row.day for row in rows}.difference(await MINUTE_DAYS.days(tx))
        if missing and not await lock_days(tx):
            return False
        for day in sorted(missing):
            await MINUTE_DAYS.add(tx, day)
        return True
