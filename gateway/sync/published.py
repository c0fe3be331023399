"""Batches of one lane that the broker confirmed and the cloud has not acknowledged, as ranges for the status.

The status reports them so that the cloud can notice batches which were lost between broker and cloud. They are kept
over connections, since that is where batches are lost, and in memory only: after a restart there is nothing to report.
Pure.
"""

from collections.abc import Iterable

from protocols.uplink.status import PUBLISHED_RANGES_MAX

Range = tuple[int, int]


class PublishedBatches:
    """Ascending ranges (first, last) that neither overlap nor touch. The lowest `PUBLISHED_RANGES_MAX` are kept: the
    cloud should first learn of the ones that are unacknowledged longest."""

    def __init__(self) -> None:
        self.ranges: tuple[Range, ...] = ()

    def add(self, first: int, last: int) -> None:
        """Add `first` to `last`, which the broker confirmed."""
        merged: list[Range] = []
        for begin, end in sorted((*self.ranges, (first, last))):
            if merged and begin <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], max(merged[-1][1], end)
            else:
                merged.append((begin, end))
        self.ranges = tuple(merged[:PUBLISHED_RANGES_MAX])

    def acknowledge(self, through: int, held: Iterable[Range]) -> None:
        """Remove everything up to `through`, and the ranges `held` above it, because the cloud has them."""
        left = list(self.ranges)
        for first, last in ((1, through), *held):
            left = [part for begin, end in left for part in _subtract(begin, end, first, last)]
        self.ranges = tuple(left[:PUBLISHED_RANGES_MAX])


def _subtract(begin: int, end: int, first: int, last: int) -> list[Range]:
    """Subtract the range `first` to `last` from `begin` to `end`."""
    if last < begin or end < first:
        return [(begin, end)]
    return [part for part in ((begin, first - 1), (last + 1, end)) if part[0] <= part[1]]
