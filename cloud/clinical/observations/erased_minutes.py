"""Take the values of an erased encounter out of minute rows. The values that are left are written again."""

from collections.abc import Sequence
from itertools import compress
from operator import not_
from typing import Any

from sqlalchemy import and_, delete, func, select, tuple_

from cloud.clinical.observations.erased_values import ErasedRows, ErasedValues, forget_measurements
from cloud.clinical.observations.minutes.body import BodyEncoder
from cloud.clinical.observations.minutes.reading import RowPlace
from cloud.clinical.observations.minutes.rows import MinuteRow, minute_rows, values_of
from cloud.clinical.observations.minutes.store import wait_to_rewrite
from cloud.clinical.observations.tables import SYNCHRONISED_CLOCK_ID, lane_days, observation_minutes
from cloud.foundation.db import Transaction

ROWS_AT_ONCE = 64
"""Minute rows of one step: some thousand values, which are decoded in about 10 ms."""
BEFORE_ALL: RowPlace = (0, 0, 0, 0)
_ROWS = observation_minutes.c
_KEY = (_ROWS.day, _ROWS.lane_id, _ROWS.first_sequence, _ROWS.first_position)


class MinuteErasure:
    """Erases values in minute rows, step by step."""

    def __init__(self) -> None:
        self._encoder = BodyEncoder()

    async def step(
        self, tx: Transaction, values: ErasedValues, number: int, after: RowPlace
    ) -> tuple[ErasedRows, RowPlace | None]:
        """Erase the values of the range `number` in the next rows after the key `after`. Return them, and the key after
        which the next step begins; None at the end of the range."""
        await wait_to_rewrite(tx)
        range_ = values.ranges[number]
        erased = ErasedRows()
        page = await range_.selection.overlapping(tx, range_.from_us, range_.until_us, after=after, limit=ROWS_AT_ONCE)
        left: list[MinuteRow] = []
        gone: list[Any] = []
        places: list[tuple[int, int, int]] = []
        for row in page:
            each = values_of(row)
            inside = [range_.from_us <= range_.selection.time_of(one) < range_.until_us for one in each]
            if not any(inside):
                continue
            gone.append(row)
            mine = list(compress(each, inside))
            erased.values += len(mine)
            erased.batches[row.lane_id].update(one.sequence for one in mine)
            places += [(one.lane_id, one.sequence, one.position) for one in mine if one.stored]
            others = compress(each, map(not_, inside))
            left += minute_rows(others, self._encoder, row.day)
        if gone:
            await self._replace(tx, gone, left)
            await forget_measurements(tx, values.tenant_id, places)
        if len(page) < ROWS_AT_ONCE:
            return erased, None
        last = page[-1]
        return erased, (last.day, last.lane_id, last.first_sequence, last.first_position)

    async def _replace(self, tx: Transaction, gone: Sequence[Any], left: Sequence[MinuteRow]) -> None:
        await tx.execute(delete(observation_minutes).where(tuple_(*_KEY).in_([tuple(row[:4]) for row in gone])))
        if left:
            await tx.driver.append(observation_minutes, MinuteRow._fields, left)
        days = lane_days.c
        for row in {(one.lane_id, one.source_id, one.clock_id, one.day): one for one in gone}.values():
            clock_id = SYNCHRONISED_CLOCK_ID if row.clock_id is None else row.clock_id
            same = and_(
                _ROWS.day == row.day,
                _ROWS.lane_id == row.lane_id,
                _ROWS.source_id == row.source_id,
                func.coalesce(_ROWS.clock_id, SYNCHRONISED_CLOCK_ID) == clock_id,
            )
            if (await tx.execute(select(_ROWS.day).where(same).limit(1))).first() is None:
                # A day without an entry is a day whose partition may be dropped.
                key = (days.lane_id, days.source_id, days.clock_id, days.day)
                mine = tuple_(*key) == (row.lane_id, row.source_id, clock_id, row.day)
                await tx.execute(delete(lane_days).where(mine))
