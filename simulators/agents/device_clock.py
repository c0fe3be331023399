"""The time of patient second 0, for all devices of a vehicle.

Set once when they are switched on, from the host's clocks, then only counted forward. Like a real monitor, a simulated
one does not follow the host's wall clock afterwards, so its time never runs backward when a time server corrects the
host. `own_clock` has the clock of each device. The start is cut to whole hundredths, the resolution of AbsoluteTime, so
that blocks of a waveform a quarter of a second apart are exactly that on a device's clock.
"""

from dataclasses import dataclass
from typing import Self

from gateway.transports.clock import Clock


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """Start of the patient's time. `started_us` is the correct time (UTC) of patient second 0; `started_s` is the same
    moment on the host's monotonic clock."""

    started_us: int
    started_s: float

    @classmethod
    def switched_on(cls, clock: Clock) -> Self:
        """Return a clock that starts now."""
        return cls(clock.wall_us() // 10_000 * 10_000, clock.monotonic_s())

    def patient_s(self, monotonic_s: float) -> float:
        return monotonic_s - self.started_s

    def monotonic_s(self, patient_s: float) -> float:
        return patient_s + self.started_s
