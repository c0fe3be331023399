"""Values for the estimate of a device's clock: relations to the gateway's clock, and the moments computed from them.

Pure arithmetic in microseconds; times of the gateway are monotonic. `device_clock` estimates and chooses the relations.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

AGREE_US = 2_000_000
"""Largest difference between times of one relation: above the jitter of links and of clocks with whole seconds."""
_UNKNOWN_US_MAX = 100 * 365 * 86_400 * 1_000_000

ASSUMED_DRIFT_PPM = 100
"""Assumed drift of a watch crystal in an ambulance, added for each second from the confirmation of the relation."""


@dataclass(frozen=True, slots=True)
class ClockRelation:
    """Relation of a device's clock to the gateway's. `offset_us` (None: unknown) is added to the device's `local_us` to
    get the gateway's monotonic time in µs. `uncertainty_us`: the greatest expected error of the result."""

    offset_us: int | None
    uncertainty_us: int


UNKNOWN = ClockRelation(None, _UNKNOWN_US_MAX)


@dataclass(frozen=True, slots=True)
class Era:
    """Past relation of a device's clock to the gateway's, valid from `began_us` (None: since before the first contact)
    to `ended_us`."""

    offset_us: int
    uncertainty_us: int
    began_us: int | None
    ended_us: int
    fitted_us: int
    """Monotonic time at which the relation was last confirmed."""
    announced: bool
    """True when the device or the gateway announced the end; reports with these times may then be in transit."""


class Sample(NamedTuple):
    """One comparison of a device's clock with the gateway's. `difference_us`: the gateway's time minus the device's.
    `error_us`: largest error of the difference, or 0 if the delay of the link is unknown. The difference may then be
    too large by this delay."""

    difference_us: int
    error_us: int
    fine: bool
    """True when the device's time had parts of a second."""
    at_us: int


class Candidate(NamedTuple):
    """Comparison of a device's clock with the gateway's that fits no known relation and may be the first of a new
    relation. `live`: the compared time is not from the device's memory."""

    local_us: int
    sample: Sample
    live: bool


class PossibleMoment(NamedTuple):
    """A possible time of a measurement: `at_us` on the gateway's monotonic clock, computed with a relation that was
    last confirmed at `fitted_us`."""

    at_us: int
    uncertainty_us: int
    fitted_us: int

    @property
    def reach_us(self) -> int:
        """Uncertainty of the moment in µs, plus the possible drift of the device's clock between the moment and the
        last confirmation of the relation."""
        return self.uncertainty_us + drift_us(abs(self.fitted_us - self.at_us))

    def within(self, began_us: int | None, ended_us: int) -> bool:
        """Return whether the moment lies between `began_us` and `ended_us`, with a tolerance for jitter and drift. If
        `began_us` is None, only `ended_us` is checked."""
        near_us = AGREE_US + drift_us(abs(self.fitted_us - self.at_us))
        return self.at_us <= ended_us + near_us and (began_us is None or self.at_us >= began_us - near_us)

    def relation(self, local_us: int, others: "Iterable[PossibleMoment]" = ()) -> ClockRelation:
        """Return the relation that converts the device time `local_us` to this moment. The uncertainty of the relation
        also covers `others`, the other possible moments of the same measurement."""
        reach_us = max((abs(other.at_us - self.at_us) + other.reach_us for other in others), default=0)
        return ClockRelation(self.at_us - local_us, max(self.reach_us, reach_us))


def drift_us(span_us: int) -> int:
    return span_us * ASSUMED_DRIFT_PPM // 1_000_000


def has_fraction(local_us: int) -> bool:
    return bool(local_us % 1_000_000)
