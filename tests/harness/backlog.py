"""Decision whether the backlog of a fleet grows, from the number of pending batches in each second."""

from collections.abc import Sequence
from statistics import fmean

GROWTH_PER_VEHICLE = 2.0
"""Batches of one vehicle by which the backlog may differ between two parts of a run: those of a second. A cloud that is
1 % too slow exceeds it in ten minutes by far, since a vehicle sends two batches a second."""


def is_growing(pending: Sequence[int], vehicles: int) -> bool:
    """Return whether the last third of a run has more pending batches than the second third, in the mean and for each
    vehicle. The first third is left out, since a backlog of the start is then still falling."""
    third = len(pending) // 3
    if not third:
        raise ValueError("a run of less than three seconds shows no backlog")
    return fmean(pending[-third:]) - fmean(pending[third:-third]) > GROWTH_PER_VEHICLE * vehicles
