"""Values of the estimate of a device's clock: relations to the gateway's clock, and the moments that they give.

Pure arithmetic in microseconds; times of the gateway are monotonic. `device_clock` learns the relations and chooses
among them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

AGREE_US = 2_000_000
"""Differences closer than this belong to one relation. Above the jitter of links and of clocks that tick in whole
seconds."""
_UNKNOWN_US_MAX = 100 * 365 * 86_400 * 1_000_000

ASSUMED_DRIFT_PPM = 100
"""A watch crystal over the temperatures of an ambulance: what a time may be off more for each second that it is away
from the moment for which the relation is known."""


@dataclass(frozen=True, slots=True)
class ClockRelation:
    """`offset_us` added to the device's `local_us` gives monotonic µs of ours; None while unknown. With its
    uncertainty."""

    offset_us: int | None
    uncertainty_us: int


UNKNOWN = ClockRelation(None, _UNKNOWN_US_MAX)


@dataclass(frozen=True, slots=True)
class Era:
    """A relation that held from `began_us` (None: since before we knew the device) to `ended_us`, monotonic."""

    offset_us: int
    uncertainty_us: int
    began_us: int | None
    ended_us: int
    fitted_us: int
    """When it was last seen to hold."""
    announced: bool
    """Whether the device or we said that it ended, and when: then reports of it may still be on their way."""


class Sample(NamedTuple):
    """`difference_us`: our time minus the device's; off by `error_us` either way, or late by any delay where 0."""

    difference_us: int
    error_us: int
    fine: bool
    """Whether the device's time had parts of a second."""
    at_us: int


class Candidate(NamedTuple):
    """A sample that may begin a new relation."""

    local_us: int
    sample: Sample
    live: bool


class PossibleMoment(NamedTuple):
    """A moment at which something may have been measured, by a relation that was last seen to hold at `fitted_us`."""

    at_us: int
    uncertainty_us: int
    fitted_us: int

    @property
    def reach_us(self) -> int:
        """The uncertainty, with what a crystal may have gained in between."""
        return self.uncertainty_us + drift_us(abs(self.fitted_us - self.at_us))

    def within(self, began_us: int | None, ended_us: int) -> bool:
        """Whether the relation held then, as far as that can be said."""
        near_us = AGREE_US + drift_us(abs(self.fitted_us - self.at_us))
        return self.at_us <= ended_us + near_us and (began_us is None or self.at_us >= began_us - near_us)

    def relation(self, local_us: int, others: "Iterable[PossibleMoment]" = ()) -> ClockRelation:
        """The relation of a time that belongs here, although it might be any of the others."""
        reach_us = max((abs(other.at_us - self.at_us) + other.reach_us for other in others), default=0)
        return ClockRelation(self.at_us - local_us, max(self.reach_us, reach_us))


def drift_us(span_us: int) -> int:
    return span_us * ASSUMED_DRIFT_PPM // 1_000_000


def has_fraction(local_us: int) -> bool:
    return bool(local_us % 1_000_000)
