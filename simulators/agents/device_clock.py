"""The clock of a simulated device: set once when it is switched on, then only counted forward.

Like a real monitor it does not follow the host's wall clock afterwards, so its time never goes backwards whatever a
time server does. Patient seconds start at 0 when the device is switched on. AbsoluteTime has hundredths of a second:
the start is cut to whole hundredths, so that blocks of a waveform a quarter of a second apart are exactly that on the
device's clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from gateway.transports.clock import Clock
from protocols.device_time import DeviceTime, absolute_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """`started_us` is the device's own idea of when patient second 0 was; `started_s` is that on the host's monotonic
    clock."""

    started_us: int
    started_s: float

    @classmethod
    def switched_on(cls, clock: Clock, *, wrong_by_s: float = 0.0) -> Self:
        """Set to the host's wall time (UTC), off by `wrong_by_s`."""
        wall_us = clock.wall_us() + round(wrong_by_s * 1_000_000)
        return cls(wall_us // 10_000 * 10_000, clock.monotonic_s())

    def patient_s(self, monotonic_s: float) -> float:
        return monotonic_s - self.started_s

    def monotonic_s(self, patient_s: float) -> float:
        return patient_s + self.started_s

    def time_at(self, patient_s: float) -> DeviceTime:
        """AbsoluteTime of a patient second, rounded to the clock's hundredths."""
        hundredths = round(patient_s * 100)
        return absolute_time(_EPOCH + timedelta(microseconds=self.started_us + hundredths * 10_000))
