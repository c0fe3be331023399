"""Read minute rows by the batches that their values arrived in, for the audit of rows."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import select, tuple_

from cloud.clinical.observations.minutes.rows import SPAN_SEQUENCES_MAX
from cloud.clinical.observations.tables import lane_days, observation_minutes
from cloud.foundation.db import Database, Transaction, literal_days

PAGE_ROWS = 200
"""Minute rows of a page: about ten thousand values."""
_ROWS = observation_minutes.c


async def minute_rows_of_batches(tx: Transaction, lane_id: int, first: int, last: int) -> Sequence[Any]:
    """Return the minute rows of a lane that may have values of the batches `first` to `last`."""
    days = lane_days.c
    has_some = (days.lane_id == lane_id, days.first_sequence <= last, days.last_sequence >= first)
    wanted = sorted(row.day for row in await tx.execute(select(days.day).where(*has_some).distinct()))
    if not wanted:
        return ()
    found = await tx.execute(
        select(observation_minutes).where(
            _ROWS.day.in_(literal_days(wanted)),
            _ROWS.lane_id == lane_id,
            _ROWS.first_sequence.between(first - SPAN_SEQUENCES_MAX, last),
            _ROWS.last_sequence >= first,
        )
    )
    return found.rows


async def minute_rows_of_lane(database: Database, lane_id: int) -> AsyncIterator[Sequence[Any]]:
    """Yield all minute rows of a lane in pages, day after day."""
    async with database.read() as tx:
        found = await tx.execute(select(lane_days.c.day).where(lane_days.c.lane_id == lane_id).distinct())
    for day in sorted(row.day for row in found):
        after = (0, -1)
        while True:
            async with database.read() as tx:
                page = await tx.execute(
                    select(observation_minutes)
                    .where(_ROWS.day.in_(literal_days([day])), _ROWS.lane_id == lane_id)
                    .where(tuple_(_ROWS.first_sequence, _ROWS.first_position) > after)
                    .order_by(_ROWS.first_sequence, _ROWS.first_position)
                    .limit(PAGE_ROWS)
                )
            if page.rows:
                yield page.rows
            if len(page) < PAGE_ROWS:
                break
            after = page.rows[-1].first_sequence, page.rows[-1].first_position
