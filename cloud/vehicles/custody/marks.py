"""The sequence numbers that the cloud holds of one lane: every number up to `through`, and ranges above it.

A gateway that reconnects after hours sends live batches first and backfills beside them, so a lane normally grows at
two places. The marks have two numbers for each range and fit in one database row. They show which sequence numbers are
held, which are missing, and which a gap record would fill. `lane_book` checks the chain.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

Range = tuple[int, int]
"""First and last sequence, both included."""

MISSING_RANGES_MAX = 64
"""Missing ranges that one acknowledgement lists. When they are filled, the next acknowledgement lists others."""

FIRST_SEQUENCE = 1
"""The sequence number of a lane's first batch. With `through` 0 nothing is held yet."""


@dataclass(frozen=True, slots=True)
class LaneMarks:
    """The sequence numbers that the cloud holds of one lane (numbered stream of batches): every number up to `through`,
    and the ranges `ahead` above it. A held number is in a batch or a gap record. The ranges are ascending and never
    adjacent."""

    through: int = FIRST_SEQUENCE - 1
    ahead: tuple[Range, ...] = ()

    @property
    def last(self) -> int:
        """Return the highest sequence number that the cloud holds of the lane."""
        return self.ahead[-1][1] if self.ahead else self.through

    def covers(self, sequence: int) -> bool:
        return sequence <= self.through or (bool(self.ahead) and not self.lacking(sequence, sequence))

    def lacking(self, first: int, last: int) -> tuple[Range, ...]:
        """Return the ranges of sequence numbers in `first`…`last` that the cloud does not hold. A gap record for
        `first`…`last` would fill them."""
        first = max(first, self.through + 1)
        if not self.ahead:  # nearly all lanes, and it is called several times for each batch
            return ((first, last),) if first <= last else ()
        return tuple(_holes(self._held_from(first), first, last))

    def held(self, first: int, last: int) -> tuple[Range, ...]:
        """Return the ranges of sequence numbers in `first`…`last` that the cloud holds, lowest first."""
        ranges = ((FIRST_SEQUENCE, self.through), *self.ahead)
        return tuple((max(low, first), min(high, last)) for low, high in ranges if max(low, first) <= min(high, last))

    def missing(self, limit: int = MISSING_RANGES_MAX) -> tuple[Range, ...]:
        """Return at most `limit` ranges of missing sequence numbers below the highest number that the cloud holds of
        the lane, lowest first."""
        held = self.ahead[:limit]  # each range ahead has exactly one hole before it
        return tuple(_holes(held, self.through + 1, held[-1][1])) if held else ()

    def adding(self, first: int, last: int) -> Self:
        """Return a copy of the held sequence numbers to which `first`…`last` are added."""
        if last <= self.through:
            return self
        first = max(first, self.through + 1)
        low = bisect_left(self.ahead, first - 1, key=lambda held: held[1])
        high = bisect_right(self.ahead, last + 1, key=lambda held: held[0])
        if low < high:
            first, last = min(first, self.ahead[low][0]), max(last, self.ahead[high - 1][1])
        if first == self.through + 1:
            return type(self)(last, self.ahead[high:])
        return type(self)(self.through, (*self.ahead[:low], (first, last), *self.ahead[high:]))

    def text(self) -> str:
        """Return the held ranges above `through` as text for the database: "7-9 12-12"."""
        return " ".join(f"{first}-{last}" for first, last in self.ahead)

    @classmethod
    def of(cls, through: int, ahead_text: str) -> Self:
        """Build the held sequence numbers of a lane from their stored form; `ahead_text` lists ranges: "7-9 12-12".
        Raises ValueError for malformed text, which only an error of the cloud can cause."""
        ranges = []
        for part in ahead_text.split():
            first, last = part.split("-")
            ranges.append((int(first), int(last)))
        return cls(through, tuple(ranges))

    def _held_from(self, first: int) -> Sequence[Range]:
        return self.ahead[bisect_left(self.ahead, first, key=lambda held: held[1]) :]


def _holes(held: Sequence[Range], first: int, last: int) -> Iterator[Range]:
    """Yield the parts of first…last that the ascending ranges `held` do not cover."""
    at = first
    for low, high in held:
        if low > last:
            break
        if low > at:
            yield at, low - 1
        at = max(at, high + 1)
    if at <= last:
        yield at, last
