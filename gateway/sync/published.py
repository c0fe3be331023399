"""Ranges of batches of one lane that the broker confirmed and the cloud has not acknowledged.

The gateway's status reports them, so that the cloud notices batches that were lost between broker and cloud. The ranges
are kept when a connection ends, because that is when batches are lost. A restart discards the ranges. Pure.
"""

from collections.abc import Iterable

from protocols.uplink.status import PUBLISHED_RANGES_MAX

Range = tuple[int, int]


class PublishedBatches:
    """Ascending ranges (first, last) of sequences that neither overlap nor touch. Only the lowest
    `PUBLISHED_RANGES_MAX` are kept, because they have been unacknowledged for longest."""

    def __init__(self) -> None:
        self.ranges: tuple[Range, ...] = ()

    def add(self, first: int, last: int) -> None:
        merged: list[Range] = []
        for begin, end in sorted((*self.ranges, (first, last))):
            if merged and begin <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], max(merged[-1][1], end)
            else:
                merged.append((begin, end))
        self.ranges = tuple(merged[:PUBLISHED_RANGES_MAX])

    def acknowledge(self, through: int, held: Iterable[Range]) -> None:
        """Remove the batches that the cloud holds: all up to `through`, and the ranges `held` above it."""
        left = list(self.ranges)
        for first, last in ((1, through), *held):
            left = [part for begin, end in left for part in _subtract(begin, end, first, last)]
        self.ranges = tuple(left[:PUBLISHED_RANGES_MAX])


def _subtract(begin: int, end: int, first: int, last: int) -> list[Range]:
    """Return the range `begin` to `end` without the part `first` to `last`: none, one or two ranges."""
    if last < begin or end < first:
        return [(begin, end)]
    return [part for part in ((begin, first - 1), (last + 1, end)) if part[0] <= part[1]]
