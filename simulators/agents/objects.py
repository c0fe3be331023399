"""The metric objects that a simulated device declares, and how each puts a value into a fixed-form observation.

One class per kind of object: numeric, compound numeric, waveform, text and bits. `declared` is what stands in the
configuration report; `scan` is one observation in the order of the object's own Attribute-Value-Map, which always
ends with the absolute time, so that a manager can tell a repeated report from a new one.
"""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from protocols.device_time import DeviceTime
from protocols.ieee11073.apdu.attributes import AttrValMapEntry, AvaType, Type
from protocols.ieee11073.apdu.data import ConfigObject, ObservationScan, ObservationScanFixed, OidEntry
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.mder import encode, encode_list
from protocols.ieee11073.nomenclature import Code
from protocols.medfloat import sfloat_raw
from protocols.observation import Special
from simulators.agents.scale import Scale

_CONTINUOUS = 0x0040
"""Metric-Spec-Small: acc-agent-initiated, nothing else remarkable."""
_TIME_OCTETS = 8
_PERIODS_PER_S = 8000
"""RelativeTime counts eighths of a millisecond."""
_COMPOUND_FIX = 3
"""Metric-Structure-Small: always these components."""
_SIGNED = 255
"""significant-bits of signed samples."""


def sfloat(value: float | None, decimals: int) -> bytes:
    """SFLOAT with that precision; None, nothing could be measured, is NaN."""
    return sfloat_raw(Special.NAN if value is None else round(value, decimals), decimals=decimals).to_bytes(2, "big")


def _ava(attribute: Attribute, value: bytes) -> AvaType:
    return AvaType(attribute, value)


def _u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def _head(kind: Code, spec: int, unit: Code | None, label: str) -> list[AvaType]:
    attributes = [
        _ava(Attribute.TYPE, encode(Type(kind.partition, kind.code))),
        _ava(Attribute.METRIC_SPEC_SMALL, _u16(spec)),
    ]
    if unit is not None:
        attributes.append(_ava(Attribute.UNIT_CODE, _u16(unit.code)))
    if label:
        text = label.encode("ascii", "replace")
        text += b" " * (len(text) % 2)
        attributes.append(_ava(Attribute.LABEL_STRING, _u16(len(text)) + text))
    return attributes


def _value_map(attribute: Attribute, octets: int, *, timed: bool = True) -> AvaType:
    value = AttrValMapEntry(attribute, octets)
    time = AttrValMapEntry(Attribute.TIME_STAMP_ABSOLUTE, _TIME_OCTETS)
    return _ava(Attribute.ATTRIBUTE_VALUE_MAP, encode_list((value, time) if timed else (value,)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """One number, as SFLOAT with a fixed number of decimals."""

    handle: int
    type: Code
    unit: Code | None
    decimals: int = 0
    spec: int = _CONTINUOUS
    label: str = ""
    timed: bool = True
    """False: the object's map holds the value alone, and `scan_var` is the form that carries a time."""

    def declared(self) -> ConfigObject:
        value_map = _value_map(Attribute.NU_BASIC, 2, timed=self.timed)
        attributes = [*_head(self.type, self.spec, self.unit, self.label), value_map]
        return ConfigObject(ObjectClass.NUMERIC, self.handle, tuple(attributes))

    def scan(self, value: float | None, time: DeviceTime) -> ObservationScanFixed:
        assert self.timed, "the map of this object has no time"
        return ObservationScanFixed(self.handle, sfloat(value, self.decimals) + time.octets)

    def scan_var(self, value: float | None, time: DeviceTime) -> ObservationScan:
        """In variable form, for a standard configuration whose map has no time: the report names what it carries."""
        return ObservationScan(
            self.handle,
            (
                _ava(Attribute.NU_BASIC, sfloat(value, self.decimals)),
                _ava(Attribute.TIME_STAMP_ABSOLUTE, time.octets),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compound:
    """Several numbers that are one measurement, in the order of `components`."""

    handle: int
    type: Code
    components: tuple[Code, ...]
    unit: Code
    decimals: int = 0
    spec: int = _CONTINUOUS

    def declared(self) -> ConfigObject:
        count = len(self.components)
        attributes = [
            *_head(self.type, self.spec, None, ""),
            _ava(Attribute.METRIC_STRUCTURE_SMALL, bytes((_COMPOUND_FIX, count))),
            _ava(Attribute.METRIC_ID_LIST, encode_list(tuple(OidEntry(code.code) for code in self.components))),
            _ava(Attribute.UNIT_CODE, _u16(self.unit.code)),
            _value_map(Attribute.NU_COMPOUND_BASIC, 4 + 2 * count),
        ]
        return ConfigObject(ObjectClass.NUMERIC, self.handle, tuple(attributes))

    def scan(self, values: Sequence[float | None], time: DeviceTime) -> ObservationScanFixed:
        assert len(values) == len(self.components), "a compound value has one number for each component"
        numbers = b"".join(sfloat(value, self.decimals) for value in values)
        return ObservationScanFixed(self.handle, _u16(len(values)) + _u16(len(numbers)) + numbers + time.octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """Blocks of `block_samples` signed 16-bit samples; the time is that of the first one."""

    handle: int
    type: Code
    unit: Code | None
    rate_hz: float
    block_samples: int
    scale: Scale
    label: str = ""

    @property
    def period(self) -> int:
        """Sample-Period in RelativeTime units; a rate that does not divide 8000 Hz is rounded."""
        return max(1, round(_PERIODS_PER_S / self.rate_hz))

    def declared(self) -> ConfigObject:
        octets = 2 * self.block_samples
        attributes = [
            *_head(self.type, _CONTINUOUS, self.unit, self.label),
            _ava(Attribute.SAMPLE_PERIOD, self.period.to_bytes(4, "big")),
            _ava(Attribute.SA_SPECIFICATION, _u16(self.block_samples) + bytes((16, _SIGNED)) + _u16(0)),
            _ava(Attribute.SCALE_AND_RANGE_I16, self.scale.octets),
            _value_map(Attribute.SA_SIMPLE, 2 + octets),
        ]
        return ConfigObject(ObjectClass.RT_SA, self.handle, tuple(attributes))

    def scan(self, samples: "array[int]", time: DeviceTime) -> ObservationScanFixed:
        assert len(samples) == self.block_samples, "a block of a waveform is as long as its map says"
        if sys.byteorder == "little":
            samples = samples[:]
            samples.byteswap()
        octets = samples.tobytes()
        return ObservationScanFixed(self.handle, _u16(len(octets)) + octets + time.octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """An enumeration told as text of at most `octets` octets (even), padded with spaces."""

    handle: int
    type: Code
    octets: int

    def declared(self) -> ConfigObject:
        attributes = [
            *_head(self.type, _CONTINUOUS, None, ""),
            _value_map(Attribute.ENUM_SIMPLE_STRING, 2 + self.octets),
        ]
        return ConfigObject(ObjectClass.ENUMERATION, self.handle, tuple(attributes))

    def scan(self, text: str, time: DeviceTime) -> ObservationScanFixed:
        octets = text.encode("ascii").ljust(self.octets)[: self.octets]
        return ObservationScanFixed(self.handle, _u16(len(octets)) + octets + time.octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bits:
    """An enumeration of 16 bits; bit 0 is 0x8000."""

    handle: int
    type: Code

    def declared(self) -> ConfigObject:
        attributes = [*_head(self.type, _CONTINUOUS, None, ""), _value_map(Attribute.ENUM_BASIC_BITS, 2)]
        return ConfigObject(ObjectClass.ENUMERATION, self.handle, tuple(attributes))

    def scan(self, bits: int, time: DeviceTime) -> ObservationScanFixed:
        return ObservationScanFixed(self.handle, _u16(bits) + time.octets)
