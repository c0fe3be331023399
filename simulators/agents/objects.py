"""The metric objects of a simulated device: how each is declared, and how it takes a value.

Thin over `protocols.ieee11073.dim`: a device names its objects once, as constants, and both the configuration report
and every observation come from the same name. All objects report their time, so that a manager can tell a repeated
report from a new one. What could not be measured (None) is NaN.
"""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from protocols.device_time import DeviceTime
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ConfigObject
from protocols.ieee11073.dim import objects
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.nomenclature import Code
from protocols.observation import Scalar, Special
from simulators.agents import codes
from simulators.agents.scale import Scale

CONTINUOUS = 0x0040
"""Metric-Spec-Small: agent-initiated, nothing else remarkable."""
_STAMP = Attribute.TIME_STAMP_ABSOLUTE


class MetricObject(Protocol):
    """What all kinds have."""

    @property
    def handle(self) -> int: ...

    def declared(self) -> ConfigObject: ...


def _scalar(value: float | None, decimals: int) -> Scalar:
    return Special.NAN if value is None else float(round(value, decimals))


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """One number, as SFLOAT rounded to so many decimals. `unit` None: the device names none."""

    handle: int
    type: Code
    unit: Code | None
    decimals: int = 0
    label: str = ""

    def declared(self) -> ConfigObject:
        unit = self.unit or codes.DIMENSIONLESS
        declared = objects.numeric(self.handle, self.type, unit, time_stamp=_STAMP, metric_spec=CONTINUOUS)
        return _labelled(declared, self.label, named_unit=self.unit is not None)

    def read(self, value: float | None, time: DeviceTime) -> Reading:
        return Reading(self.handle, _scalar(value, self.decimals), time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compound:
    """Several numbers that are one measurement, in the order of `components`."""

    handle: int
    type: Code
    components: tuple[Code, ...]
    unit: Code
    decimals: int = 0

    def declared(self) -> ConfigObject:
        return objects.compound(
            self.handle, self.type, self.components, self.unit, time_stamp=_STAMP, metric_spec=CONTINUOUS
        )

    def read(self, values: Sequence[float | None], time: DeviceTime) -> Reading:
        assert len(values) == len(self.components), "a compound value has one number for each component"
        return Reading(self.handle, tuple(_scalar(value, self.decimals) for value in values), time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """Blocks of `block_samples` signed 16-bit samples; the time is that of the first one. Sample-Period counts
    eighths of a millisecond, so a rate that does not divide 8000 Hz is declared rounded."""

    handle: int
    type: Code
    unit: Code | None
    rate_hz: float
    block_samples: int
    scale: Scale
    label: str = ""

    def declared(self) -> ConfigObject:
        declared = objects.waveform(
            self.handle,
            self.type,
            self.unit or codes.DIMENSIONLESS,
            period_s=1 / self.rate_hz,
            samples=self.block_samples,
            physical=(float(self.scale.lower), float(self.scale.upper)),
            raw=(self.scale.lower_raw, self.scale.upper_raw),
            time_stamp=_STAMP,
        )
        return _labelled(declared, self.label, named_unit=self.unit is not None)

    def read(self, samples: "array[int]", time: DeviceTime) -> Reading:
        assert len(samples) == self.block_samples, "a block of a waveform is as long as its map says"
        if sys.byteorder == "little":
            samples = samples[:]
            samples.byteswap()
        return Reading(self.handle, samples.tobytes(), time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bits:
    """An enumeration of 16 bits; bit 0 is 0x8000."""

    handle: int
    type: Code

    def declared(self) -> ConfigObject:
        return objects.enumeration(
            self.handle, self.type, value=Attribute.ENUM_BASIC_BITS, time_stamp=_STAMP, metric_spec=CONTINUOUS
        )

    def read(self, bits: int, time: DeviceTime) -> Reading:
        return Reading(self.handle, bits, time)


def _labelled(declared: ConfigObject, label: str, *, named_unit: bool) -> ConfigObject:
    attributes = [item for item in declared.attributes if named_unit or item.attribute_id != Attribute.UNIT_CODE]
    if label:
        text = label.encode("ascii", "replace")
        text += b" " * (len(text) % 2)
        attributes.append(AvaType(Attribute.LABEL_STRING, len(text).to_bytes(2, "big") + text))
    return replace(declared, attributes=tuple(attributes))
