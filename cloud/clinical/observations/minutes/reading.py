"""Read minute rows in the order of time, a page at a time, beside single rows.

A page must not depend on the page before it, because rows move from single to minute rows meanwhile. So each page reads
again the rows that are open at its beginning: those with values before and after it. A row spans less than a minute, so
these are found in a short range of the index, and there is one for each channel.

`lane_days` has the days of arrival on which a source has rows, and the times of their values. A page reads only the
days that have values in its range of time, so on PostgreSQL it touches only their partitions.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, true, tuple_

from cloud.clinical.observations.minutes.body import MinuteValue
from cloud.clinical.observations.minutes.rows import DAY_US, MINUTE_US, values_of
from cloud.clinical.observations.tables import lane_days, observation_minutes
from cloud.foundation.db import AnyRow, Transaction, literal_days

PAGE_ROWS = 64
"""Minute rows that begin within one page: some thousand values, so about as many as a page of single rows has."""
WINDOW_US = DAY_US
"""Longest range of time of a page. A vehicle's values usually arrive on the day on which they are observed, so a page
reads two partitions; with a backlog, some more."""
RowPlace = tuple[int, int, int, int]
"""Key of a row: day, lane id, sequence and position of its first value."""
TIME_MIN_US, TIME_MAX_US = -(1 << 63), (1 << 63) - 1
_ROWS = observation_minutes.c


@dataclass(frozen=True, slots=True)
class MinutePage:
    """Values of minute rows. All values up to the time `complete_to_us` are in the page; None: all that there are."""

    values: Sequence[MinuteValue]
    complete_to_us: int | None


@dataclass(frozen=True, slots=True)
class MinuteSelection:
    """The minute rows of one source in one order of time. `clock_id` None: in the order of observed times, without the
    values on the clocks `apart`. Otherwise: the values on this clock of a gateway's boot, in its order. `channel_ids`:
    only the values of these channels; None: of all."""

    source_id: int
    clock_id: int | None
    apart: Collection[int] = ()
    channel_ids: Collection[int] | None = None

    async def page(
        self, tx: Transaction, from_us: int, until_us: int = TIME_MAX_US, *, rows: int = PAGE_ROWS
    ) -> MinutePage:
        """Return values that begin at `from_us`, in no particular order: those of about `rows` rows. The page may have
        earlier values too, and later ones than `until_us`. If it is complete to a time before `until_us`, there is a
        next page."""
        days, window_to_us = await self._days(tx, from_us)
        if not days:
            return MinutePage((), None)
        here = self._conditions(days)
        begin, end = self._begin, self._end
        nth = (
            select(begin)
            .where(*here, begin > from_us, begin < until_us)
            .where(begin <= (TIME_MAX_US if window_to_us is None else window_to_us))
            .order_by(begin)
            .offset(rows - 1)
            .limit(1)
        )
        last_us = (await tx.execute(nth)).scalar()
        complete_to_us = window_to_us if last_us is None else int(last_us)
        through_us = TIME_MAX_US if complete_to_us is None else complete_to_us
        found = await tx.execute(
            select(observation_minutes).where(
                *here,
                *(begin >= max(from_us - MINUTE_US, TIME_MIN_US), begin <= through_us, begin < until_us),
                end >= from_us,
            )
        )
        if not found.rows and window_to_us is not None:
            return MinutePage((), await self._end_of_gap(tx, window_to_us))
        return MinutePage([value for row in found for value in values_of(row)], complete_to_us)

    async def _end_of_gap(self, tx: Transaction, from_us: int) -> int | None:
        """Return the time before the next row that begins after `from_us`; None if there is none. The values of a day
        may be far apart, for instance when the clock of a device is wrong."""
        days = await self._days_between(tx, from_us, TIME_MAX_US)
        later = select(func.min(self._begin)).where(*self._conditions(days), self._begin > from_us)
        found = (await tx.execute(later)).scalar()
        return None if found is None else int(found) - 1

    async def count(self, tx: Transaction, from_us: int, until_us: int, limit: int) -> int:
        """Count the values in [`from_us`, `until_us`). Rows within the range are not decoded. The count may stop at
        `limit`."""
        days = await self._days_between(tx, from_us, until_us)
        if not days:
            return 0
        begin, end = self._begin, self._end
        here = (*self._conditions(days), end >= from_us, begin < until_us)
        inside = select(_ROWS.value_count).where(*here, begin >= from_us, end < until_us).limit(limit).subquery()
        counted = int((await tx.execute(select(func.coalesce(func.sum(inside.c.value_count), 0)))).scalar())
        if counted >= limit:
            return counted
        at_ends = await tx.execute(select(observation_minutes).where(*here, or_(begin < from_us, end >= until_us)))
        times = (self.time_of(value) for row in at_ends for value in values_of(row))
        return counted + sum(from_us <= at_us < until_us for at_us in times)

    async def overlapping(
        self, tx: Transaction, from_us: int, until_us: int, *, after: RowPlace, limit: int
    ) -> Sequence[AnyRow]:
        """Return the next rows, in the order of their keys, that have a time before and one after the ends of
        [`from_us`, `until_us`), or within it. They need not have a value within it."""
        days = await self._days_between(tx, from_us, until_us)
        if not days:
            return ()
        here = (*self._conditions(days), self._end >= from_us, self._begin < until_us)
        place = (_ROWS.day, _ROWS.lane_id, _ROWS.first_sequence, _ROWS.first_position)
        statement = select(observation_minutes).where(*here, tuple_(*place) > after).order_by(*place).limit(limit)
        return (await tx.execute(statement)).rows

    def time_of(self, value: MinuteValue) -> int:
        """Return the time of a value in the order of this selection."""
        if self.clock_id is None:
            return value.observed_at_us
        assert value.monotonic_us is not None, "a value on a clock has a time on it"
        return value.monotonic_us

    async def _days_between(self, tx: Transaction, from_us: int, until_us: int) -> Sequence[int]:
        """Return the days that have rows with values in this range of time."""
        days = lane_days.c
        wanted = list(self._day_conditions())
        if self.clock_id is None:
            wanted += [days.observed_to_us >= from_us, days.observed_from_us < until_us]
        return sorted(row.day for row in await tx.execute(select(days.day).where(*wanted).distinct()))

    async def _days(self, tx: Transaction, from_us: int) -> tuple[Sequence[int], int | None]:
        """Return the days that have rows in the next range of time, and the end of this range (None: there are no rows
        after it)."""
        days = lane_days.c
        if self.clock_id is not None:
            return await self._days_between(tx, from_us, TIME_MAX_US), None
        later = (*self._day_conditions(), days.observed_to_us >= from_us)
        ends = select(func.min(days.observed_from_us).label("first_us"), func.max(days.observed_to_us).label("last_us"))
        row = (await tx.execute(ends.where(*later))).first()
        if row is None or row.first_us is None:
            return (), None
        to_us = min(max(from_us, row.first_us) + WINDOW_US, TIME_MAX_US)
        found = await self._days_between(tx, from_us, to_us + 1 if to_us < TIME_MAX_US else to_us)
        return found, to_us if row.last_us > to_us else None

    @property
    def _begin(self) -> ColumnElement[int]:
        return _ROWS.observed_from_us if self.clock_id is None else _ROWS.monotonic_from_us

    @property
    def _end(self) -> ColumnElement[int]:
        return _ROWS.observed_to_us if self.clock_id is None else _ROWS.monotonic_to_us

    def _conditions(self, days: Collection[int]) -> Sequence[ColumnElement[bool]]:
        of_source: list[ColumnElement[bool]] = [_ROWS.day.in_(literal_days(days)), _ROWS.source_id == self.source_id]
        if self.channel_ids is not None:
            of_source.append(_ROWS.channel_id.in_(sorted(self.channel_ids)))
        if self.clock_id is not None:
            return *of_source, _ROWS.clock_id == self.clock_id
        others = or_(_ROWS.clock_id.is_(None), _ROWS.clock_id.not_in(self.apart)) if self.apart else true()
        return *of_source, others

    def _day_conditions(self) -> Sequence[ColumnElement[bool]]:
        days = lane_days.c
        if self.clock_id is not None:
            return days.source_id == self.source_id, days.clock_id == self.clock_id
        return days.source_id == self.source_id, (days.clock_id.not_in(self.apart) if self.apart else true())
