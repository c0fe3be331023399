"""Wall-clock time of patient second 0, for all devices of a vehicle.

It is read once from the host's clocks, when the devices are switched on; later times are counted from there. Like a
real monitor, a simulated device does not follow the host's wall clock afterwards, so its time never runs backward when
a time server corrects the host. `own_clock` adds the error of each device's clock.

The start is rounded down to whole hundredths of a second, the resolution of AbsoluteTime. So waveform blocks, a quarter
of a second apart, are exactly a quarter of a second apart on a device's clock too.
"""

from dataclasses import dataclass
from typing import Self

from gateway.transports.clock import Clock


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """Conversion between patient time and the host's clocks. `started_us` is the UTC time of patient second 0, and
    `started_s` the same moment on the host's monotonic clock."""

    started_us: int
    started_s: float

    @classmethod
    def switched_on(cls, clock: Clock) -> Self:
        """Return a clock whose patient second 0 is now."""
        return cls(clock.wall_us() // 10_000 * 10_000, clock.monotonic_s())

    def patient_s(self, monotonic_s: float) -> float:
        return monotonic_s - self.started_s

    def monotonic_s(self, patient_s: float) -> float:
        return patient_s + self.started_s
