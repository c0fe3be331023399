"""Classes for the metric objects of a device; their `read` converts a measurement to a reading.

All readings have a time, so that a manager can distinguish a repeated report from a new one. A missing value is NaN.
"""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.reports import Reading
from protocols.observation import Scalar, Special


def scalar(value: float | None, decimals: int) -> Scalar:
    """Round a value to `decimals`, the precision of the device. None (no measurement) becomes NaN."""
    return Special.NAN if value is None else float(round(value, decimals))


@dataclass(frozen=True, slots=True)
class Numeric:
    """Numeric object whose values are rounded to `decimals` decimal places."""

    handle: int
    decimals: int = 0

    def read(self, value: float | None, time: DeviceTime | None) -> Reading:
        return Reading(self.handle, scalar(value, self.decimals), time)


@dataclass(frozen=True, slots=True)
class Compound:
    """Compound numeric object: one measurement of several whole numbers, which are in the order of
    the Metric-Id-List."""

    handle: int

    def read(self, values: Sequence[float | None], time: DeviceTime) -> Reading:
        return Reading(self.handle, tuple(scalar(value, 0) for value in values), time)


@dataclass(frozen=True, slots=True)
class Waveform:
    """Waveform object (RT-SA) with blocks of 16-bit samples. A reading has the time of its first sample."""

    handle: int

    def read(self, samples: "array[int]", time: DeviceTime | None) -> Reading:
        if sys.byteorder == "little":
            samples = samples[:]
            samples.byteswap()
        return Reading(self.handle, samples.tobytes(), time)
