"""Values of the estimate of a device's clock: relations to the gateway's clock, and the moments that they give.

Pure arithmetic in microseconds; times of the gateway are monotonic. `device_clock` learns the relations and chooses
among them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

AGREE_US = 2_000_000
"""Largest difference within one relation. Above the jitter of links and of clocks that tick in whole seconds."""
_UNKNOWN_US_MAX = 100 * 365 * 86_400 * 1_000_000

ASSUMED_DRIFT_PPM = 100
"""Assumed drift: a watch crystal over the temperatures of an ambulance. It is added for each second between a time and
the moment for which the relation is known."""


@dataclass(frozen=True, slots=True)
class ClockRelation:
    """A relation to our clock. `offset_us` added to the device's `local_us` gives our monotonic µs; None while unknown.
    With its uncertainty."""

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
    """Time at which it was last seen to hold."""
    announced: bool
    """True when the device or the gateway announced its end: then its reports may still be in transit."""


class Sample(NamedTuple):
    """One sample. `difference_us`: our time minus the device's; off by `error_us` either way, or late by any delay
    where 0."""

    difference_us: int
    error_us: int
    fine: bool
    """True when the device's time had parts of a second."""
    at_us: int


class Candidate(NamedTuple):
    """A sample that may begin a new relation."""

    local_us: int
    sample: Sample
    live: bool


class PossibleMoment(NamedTuple):
    """A possible moment of a measurement, by a relation that was last seen to hold at `fitted_us`."""

    at_us: int
    uncertainty_us: int
    fitted_us: int

    @property
    def reach_us(self) -> int:
        """The uncertainty, including the possible drift of a crystal in between."""
        return self.uncertainty_us + drift_us(abs(self.fitted_us - self.at_us))

    def within(self, began_us: int | None, ended_us: int) -> bool:
        """Return whether the relation held then, as far as is known."""
        near_us = AGREE_US + drift_us(abs(self.fitted_us - self.at_us))
        return self.at_us <= ended_us + near_us and (began_us is None or self.at_us >= began_us - near_us)

    def relation(self, local_us: int, others: "Iterable[PossibleMoment]" = ()) -> ClockRelation:
        """Return the relation of a time that belongs here, although it might be any of the others."""
        reach_us = max((abs(other.at_us - self.at_us) + other.reach_us for other in others), default=0)
        return ClockRelation(self.at_us - local_us, max(self.reach_us, reach_us))


def drift_us(span_us: int) -> int:
    return span_us * ASSUMED_DRIFT_PPM // 1_000_000


def has_fraction(local_us: int) -> bool:
    return bool(local_us % 1_000_000)
