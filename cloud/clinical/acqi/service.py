"""Read the indicators of a range, with their trend.

The range is half open and begins and ends at any instant. Whole days are read from their sums, and the rest of the
first and the last day from the encounters. Encounters whose record has expired do not count in that rest: they are in
the sums of their day alone, since their scores are deleted.
"""

from collections.abc import Sequence

from cloud.clinical.acqi.errors import RangeInvalid
from cloud.clinical.acqi.indicators import BY_NAME, INDICATORS
from cloud.clinical.acqi.model import DAY_US, Metric, Point, Sums
from cloud.clinical.acqi.store import DatedScore, ScoreStore
from cloud.foundation.db import Database
from cloud.foundation.viewer import Viewer

DAYS_MAX = 366
"""Longest range (contract A-093)."""
POINTS_MAX = 92
"""Points of a trend: a day each for a quarter, four days each for a year."""


class Acqi:
    """Operations on indicators."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = ScoreStore()

    async def metrics(self, viewer: Viewer, from_us: int, until_us: int) -> Sequence[Metric]:
        """Return every indicator over the encounters that the viewer may see and that began from `from_us` until before
        `until_us`. Raises `RangeInvalid`."""
        if from_us >= until_us:
            raise RangeInvalid("(It ends before it begins.)")
        if until_us - from_us > DAYS_MAX * DAY_US:
            raise RangeInvalid(f"(At most {DAYS_MAX} days.)")
        first_whole, end_whole = -(-from_us // DAY_US), until_us // DAY_US
        rows: list[DatedScore] = []
        async with self._database.read() as tx:
            if first_whole > end_whole:  # within one day
                rows += await self._store.by_encounter(tx, viewer, from_us, until_us)
            else:
                rows += await self._store.by_day(tx, viewer, first_whole, end_whole)
                for begin_us, end_us in ((from_us, first_whole * DAY_US), (end_whole * DAY_US, until_us)):
                    if begin_us < end_us:
                        rows += await self._store.by_encounter(tx, viewer, begin_us, end_us)
        return _summed(rows, from_us, until_us)


def _summed(rows: Sequence[DatedScore], from_us: int, until_us: int) -> Sequence[Metric]:
    first_day, end_day = from_us // DAY_US, -(-until_us // DAY_US)
    width = -(-(end_day - first_day) // POINTS_MAX)
    begins = [max(from_us, day * DAY_US) for day in range(first_day, end_day, width)]
    numerators = {name: [0] * len(begins) for name in BY_NAME}
    denominators = {name: [0] * len(begins) for name in BY_NAME}
    for name, day, numerator, denominator in rows:
        if name in numerators:  # and not an indicator of another release
            place = (day - first_day) // width
            numerators[name][place] += numerator
            denominators[name][place] += denominator
    return [
        Metric(
            one,
            Sums(sum(numerators[one.name]), sum(denominators[one.name])),
            [
                Point(at_us, Sums(*sums))
                for at_us, *sums in zip(begins, numerators[one.name], denominators[one.name], strict=True)
            ],
        )
        for one in INDICATORS
    ]
