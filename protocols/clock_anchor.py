"""Relation of a machine's monotonic clock to UTC during one boot, and the uncertainty of this relation.

A gateway without a battery-backed clock takes measurements before its wall clock is synchronised. Each such measurement
has a time on the monotonic clock of its boot. Once the wall clock is synchronised, an anchor converts these monotonic
times to UTC. Anchors are stored beside the observations, which are never rewritten (DESIGN D5).
"""

from collections.abc import Mapping
from dataclasses import dataclass

DRIFT_PPM = 500
"""Greatest drift of an undisciplined monotonic clock. Crystals keep 100 ppm over the temperatures in an ambulance; the
kernel's calibration of the processor's counter adds to that, and 500 ppm is the kernel's own assumption (MAXFREQ) for
the growth of a clock's error."""
UTC_US_MAX = 253_402_300_799_999_999
"""The end of the year 9999."""
MONOTONIC_US_MAX = (1 << 33) * 1_000_000
"""About 270 years, as for receptions (`uplink.observations.RECEIVED_S_MAX`)."""
UNCERTAINTY_US_MAX = 100 * 365 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockAnchor:
    """Relation of the monotonic clock of one boot to UTC: UTC in µs = monotonic µs + `offset_us`. From `first_us` to
    `last_us` (monotonic) the wall clock was synchronised, and the error of a converted time is at most
    `uncertainty_us`."""

    offset_us: int
    uncertainty_us: int
    first_us: int
    last_us: int

    @classmethod
    def at(cls, *, monotonic_us: int, utc_us: int, uncertainty_us: int) -> "ClockAnchor":
        """Return the anchor made from one moment at which both clocks were read."""
        return cls(
            offset_us=utc_us - monotonic_us, uncertainty_us=uncertainty_us, first_us=monotonic_us, last_us=monotonic_us
        )

    def uncertainty_at(self, monotonic_us: int) -> int:
        """Return the largest error in µs of the UTC computed for `monotonic_us`. It grows by `DRIFT_PPM` with the
        distance from the period `first_us`…`last_us`."""
        away_us = max(self.first_us - monotonic_us, monotonic_us - self.last_us, 0)
        return self.uncertainty_us + away_us * DRIFT_PPM // 1_000_000

    def merged(self, other: "ClockAnchor") -> "ClockAnchor":
        """Merge two anchors of one boot, in any order. If they contradict each other, the wall clock was set between
        them. The later anchor is then returned unchanged, since its source has corrected the earlier time."""
        earlier, later = sorted((self, other), key=lambda each: (each.last_us, each.first_us, each.offset_us))
        apart_us = abs(self.offset_us - other.offset_us)
        reach_us = max(earlier.uncertainty_at(later.first_us), earlier.uncertainty_us) + later.uncertainty_us
        if apart_us > reach_us:
            return later
        surer, vaguer = sorted((self, other), key=lambda each: (each.uncertainty_us, each.first_us, each.offset_us))
        reach_us = vaguer.uncertainty_us + apart_us
        if max(map(surer.uncertainty_at, (vaguer.first_us, vaguer.last_us))) <= reach_us:
            return surer  # it converts the other's times at least as exactly as the other does
        return ClockAnchor(
            offset_us=surer.offset_us,
            uncertainty_us=reach_us,
            first_us=min(surer.first_us, vaguer.first_us),
            last_us=max(surer.last_us, vaguer.last_us),
        )


Anchors = Mapping[str, ClockAnchor]
"""Anchors of boots, by the boot's id."""
NO_ANCHORS: Anchors = {}
