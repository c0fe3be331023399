"""What the cloud holds of one lane: everything through a mark, and the ranges beyond it.

Why ranges and not a single mark: a gateway that comes back after hours sends live batches first and backfills beside
them, so a lane normally grows at two places at once. The marks stay small (two numbers a range), travel in one row of
the database, and answer every question of the exchange: is this sequence held, what is missing, what would a gap fill.

Knows no batch, no hash and no database; the chain is `lane_book`'s work.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

Range = tuple[int, int]
"""First and last sequence, both included."""

MISSING_RANGES_MAX = 64
"""As many ranges as one acknowledgement names; the gateway learns of the next ones when these are filled."""

FIRST_SEQUENCE = 1
"""The sequence of a lane's first batch. 0 as a mark says that nothing is held yet."""


@dataclass(frozen=True, slots=True)
class LaneMarks:
    """`through`: every sequence up to here is held or stood in for. `ahead`: what is held beyond, ascending, never
    adjacent."""

    through: int = FIRST_SEQUENCE - 1
    ahead: tuple[Range, ...] = ()

    @property
    def last(self) -> int:
        """The highest sequence held; `through` when nothing is ahead."""
        return self.ahead[-1][1] if self.ahead else self.through

    def covers(self, sequence: int) -> bool:
        return not self.lacking(sequence, sequence)

    def lacking(self, first: int, last: int) -> tuple[Range, ...]:
        """The parts of first…last that are not held: what a gap over that range fills."""
        return tuple(_holes(self._held_from(first), max(first, self.through + 1), last))

    def missing(self, limit: int = MISSING_RANGES_MAX) -> tuple[Range, ...]:
        """The holes between `through` and `last`, lowest first, at most `limit` of them."""
        held = self.ahead[:limit]  # each range ahead has exactly one hole before it
        return tuple(_holes(held, self.through + 1, held[-1][1])) if held else ()

    def adding(self, first: int, last: int) -> Self:
        """The marks once first…last is held too."""
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
        """`ahead` as it stands in the database: "7-9 12-12"."""
        return " ".join(f"{first}-{last}" for first, last in self.ahead)

    @classmethod
    def of(cls, through: int, ahead_text: str) -> Self:
        """The inverse of `text`; the row is ours, so a malformed one is a ValueError and not a peer's fault."""
        ranges = []
        for part in ahead_text.split():
            first, last = part.split("-")
            ranges.append((int(first), int(last)))
        return cls(through, tuple(ranges))

    def _held_from(self, first: int) -> Sequence[Range]:
        return self.ahead[bisect_left(self.ahead, first, key=lambda held: held[1]) :]


def _holes(held: Sequence[Range], first: int, last: int) -> Iterator[Range]:
    """What `held` (ascending) leaves open of first…last."""
    at = first
    for low, high in held:
        if low > last:
            break
        if low > at:
            yield at, low - 1
        at = max(at, high + 1)
    if at <= last:
        yield at, last
