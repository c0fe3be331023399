"""The fields of attribute values in a report, and their conversion to an observation's value.

`VALUES` has one reader for each value attribute (reference 20601 §8.2 to §8.5). An item is one object at one time; its
time stamp and Measurement-Status apply to all its values. The other attributes:

- attributes that values depend on (`SHAPING`, such as a unit) become part of the channel;
- Measure-Active-Period is a separate observation: type 1:2649, in seconds, with the item's time and status;
- of several time stamps the most precise counts; a further one is noted;
- everything else (accuracy, source handles, labels, threshold texts, unknown ids) is emitted in a separate event.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from protocols.device_time import TimeKind
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.dim.attribute import SHAPING, Attribute
from protocols.ieee11073.dim.channels import ValueMeaning
from protocols.ieee11073.dim.identity import printable
from protocols.ieee11073.dim.report_layout import Field
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.ieee11073.tolerances import Oddity
from protocols.medfloat import float_of, sfloat_of
from protocols.observation import Value
from protocols.reader import Reader


class TimeStamp(NamedTuple):
    """Properties of a time stamp attribute: clock, length in bytes, and rank. Of several time stamps the one with the
    lowest rank counts: dates before counters."""

    kind: TimeKind
    octets: int
    rank: int


TIME_STAMPS: dict[int, TimeStamp] = {
    Attribute.TIME_STAMP_ABSOLUTE: TimeStamp(TimeKind.ABSOLUTE, 8, 0),
    Attribute.TIME_STAMP_BASE_OFFSET: TimeStamp(TimeKind.BASE_OFFSET, 8, 1),
    Attribute.TIME_STAMP_HIGH_RESOLUTION: TimeStamp(TimeKind.HIGH_RESOLUTION, 8, 2),
    Attribute.TIME_STAMP_RELATIVE: TimeStamp(TimeKind.RELATIVE, 4, 3),
}
_NO_TIME_RANK = 4
PARTS_MAX = 255
"""Limit of values of a compound, set by the uplink form of an observation (`uplink.channels.COMPONENTS_MAX`)."""
TEXT_BYTES_MAX = 16_384
"""Limit of bytes of a text, set by the uplink form of an observation: bytes that are not valid text grow in it."""
_SECONDS = code_of("MDC_DIM_SEC").code

Convert = Callable[[Any], Value]


@dataclass(frozen=True, slots=True)
class ValueFields:
    """The fields of one value, which may be a code in the object's partition (`oid`) or a sample array (`samples`)."""

    fields: tuple[Field, ...]
    convert: Convert | None = None
    compound: bool = False
    oid: bool = False
    samples: bool = False
    meaning: ValueMeaning = field(default_factory=ValueMeaning)
    status: Field | None = None

    def converter(self, enum_partition: int) -> Convert | None:
        """Return the function that converts an unpacked field to the value. For a nomenclature code, the function adds
        the partition `enum_partition` to the number. None: the field is an array of samples."""
        if not self.oid:
            return self.convert
        return lambda code: Code(enum_partition, code)


Keep = Callable[[Field], None]
ReadValues = Callable[[Reader, Keep], list[ValueFields]]


def _take(reader: Reader, size: int, code: str, keep: Keep) -> Field:
    found = Field(reader.at, size, code)
    reader.take(size)
    keep(found)
    return found


def _single(size: int, code: str, convert: Convert) -> ReadValues:
    """Return a reader of a value that is one number of `size` bytes."""

    def read(reader: Reader, keep: Keep) -> list[ValueFields]:
        return [ValueFields((_take(reader, size, code, keep),), convert)]

    return read


_sfloat, _float = _single(2, "H", sfloat_of), _single(4, "I", float_of)
_bits16, _bits32 = _single(2, "H", int), _single(4, "I", int)


def _compound(reader: Reader, size: int, code: str, convert: Convert, keep: Keep) -> list[ValueFields]:
    count = reader.u16()
    items = reader.inside(reader.u16())
    if items.remaining != count * size:
        raise RemoteProtocolError(
            f"a compound of {count} values has {items.remaining} bytes", at=items.at, clause="20601 §8.3 Compound"
        )
    if not 0 < count <= PARTS_MAX:
        items.rest()
        return []
    fields = tuple(_take(items, size, code, keep) for _ in range(count))
    return [ValueFields(fields, convert, compound=True)]


def _compound_basic(reader: Reader, keep: Keep) -> list[ValueFields]:
    return _compound(reader, 2, "H", sfloat_of, keep)


def _compound_simple(reader: Reader, keep: Keep) -> list[ValueFields]:
    return _compound(reader, 4, "I", float_of, keep)


def _nu_observed(reader: Reader, keep: Keep) -> list[ValueFields]:
    """Read Nu-Observed-Value: metric-id, state, unit-code, FLOAT. Metric and unit replace those of the object."""
    metric_id = reader.u16()
    status = _take(reader, 2, "H", keep)
    meaning = ValueMeaning(metric_id or None, reader.u16())
    return [ValueFields((_take(reader, 4, "I", keep),), float_of, meaning=meaning, status=status)]


def _nu_compound(reader: Reader, keep: Keep) -> list[ValueFields]:
    """Read Compound-Nu-Observed-Value. Its components have their own units, so each becomes a separate observation."""
    count = reader.u16()
    items = reader.inside(reader.u16())
    found = [value for _ in range(count) for value in _nu_observed(items, keep)]
    items.finish()
    return found


def _active_period(reader: Reader, keep: Keep) -> list[ValueFields]:
    """Read Measure-Active-Period, a FLOAT in seconds."""
    (found,) = _float(reader, keep)
    return [replace(found, meaning=ValueMeaning(unit_code=_SECONDS, attribute=Attribute.MEASURE_ACTIVE_PERIOD))]


def _samples(reader: Reader, keep: Keep) -> list[ValueFields]:
    """Read Simple-Sa-Observed-Value, an OCTET STRING, which may end inside a sample."""
    return [ValueFields((_counted(reader, keep),), samples=True)]


def _text(reader: Reader, keep: Keep) -> list[ValueFields]:
    if reader.remaining > TEXT_BYTES_MAX:
        reader.rest()
        return []
    return [ValueFields((_counted(reader, keep),), printable)]


def _counted(reader: Reader, keep: Keep) -> Field:
    data = reader.u16()
    return _take(reader, data, f"{data}s", keep)


def _oid(reader: Reader, keep: Keep) -> list[ValueFields]:
    return [ValueFields((_take(reader, 2, "H", keep),), oid=True)]


_ENUM_CHOICES: dict[int, ReadValues] = {1: _oid, 2: _text, 16: _bits32}


def _enum_observed(reader: Reader, keep: Keep) -> list[ValueFields]:
    """Read Enum-Observed-Value: metric-id, state, and a code, text or bits. Return an empty list for
    any other choice."""
    metric_id = reader.u16()
    status = Field(reader.at, 2, "H")
    reader.take(2)
    choice = reader.u16()
    chosen = reader.inside(reader.u16())
    read = _ENUM_CHOICES.get(choice)
    if read is None:
        chosen.rest()
        return []
    values = read(chosen, keep)
    if not values:
        return []
    keep(status)
    (value,) = values
    chosen.finish()
    meaning = ValueMeaning(metric_id or None)
    return [ValueFields(value.fields, value.convert, oid=value.oid, meaning=meaning, status=status)]


VALUES: dict[int, ReadValues] = {
    Attribute.NU_SIMPLE: _float,
    Attribute.NU_BASIC: _sfloat,
    Attribute.NU_COMPOUND_SIMPLE: _compound_simple,
    Attribute.NU_COMPOUND_BASIC: _compound_basic,
    Attribute.NU_OBSERVED: _nu_observed,
    Attribute.NU_COMPOUND: _nu_compound,
    Attribute.SA_SIMPLE: _samples,
    Attribute.ENUM_SIMPLE_OID: _oid,
    Attribute.ENUM_SIMPLE_BITS: _bits32,
    Attribute.ENUM_BASIC_BITS: _bits16,
    Attribute.ENUM_SIMPLE_STRING: _text,
    Attribute.ENUM_OBSERVED: _enum_observed,
    Attribute.MEASURE_ACTIVE_PERIOD: _active_period,
}


@dataclass(frozen=True, slots=True)
class CarriedAttribute:
    """An attribute that is not a value. `found` is its field; None: the bytes `octets` are constant in the layout."""

    attribute: int
    found: Field | None
    octets: bytes = b""


class ItemFields:
    """The fields of one item of a report (one object at one time): values, status, time, attributes that shape values,
    and other attributes."""

    __slots__ = ("_rank", "carried", "oddities", "shaping", "status", "time", "time_kind", "values")

    def __init__(self) -> None:
        self.values: list[ValueFields] = []
        self.status: Field | None = None
        self.time: Field | None = None
        self.time_kind = TimeKind.ABSOLUTE
        self.shaping: dict[int, bytes] = {}
        self.carried: list[CarriedAttribute] = []
        self.oddities: list[Oddity] = []
        self._rank = _NO_TIME_RANK

    def take(self, attribute: int, value: Reader, keep: Keep) -> None:
        """Add an attribute to the fields of a report item. `keep` is called with each field that is found in the
        attribute's bytes. Raises `RemoteProtocolError` for a malformed value."""
        if attribute in TIME_STAMPS:
            self._stamp(TIME_STAMPS[attribute], value, keep)
        elif attribute == Attribute.MEASUREMENT_STATUS:
            self.status = _take(value, 2, "H", keep)
        elif attribute in VALUES:
            self._value(attribute, value, keep)
        elif attribute in SHAPING:
            self.shaping[attribute] = value.rest()  # constant in the layout, since it determines the meaning of values
        else:
            self.carry(attribute, value, keep)
        value.finish()

    def carry(self, attribute: int, value: Reader, keep: Keep) -> None:
        """Add an attribute that has no effect on values to the fields of a report item."""
        data = value.remaining
        self.carried.append(CarriedAttribute(attribute, _take(value, data, f"{data}s", keep)))

    def close(self) -> None:
        """End a report item. If the item has no value, its Measurement-Status is kept as an attribute that is not a
        value."""
        if self.values:
            return
        if self.status is not None:
            self.carried.append(CarriedAttribute(Attribute.MEASUREMENT_STATUS, self.status))

    @property
    def empty(self) -> bool:
        """True where the report item has neither a value nor an attribute that is kept."""
        return not self.values and not self.shaping and not self.carried

    def _stamp(self, stamp: TimeStamp, value: Reader, keep: Keep) -> None:
        found = _take(value, stamp.octets, f"{stamp.octets}s", keep)
        if self.time is not None:
            self.oddities.append(Oddity.TIME_STAMP_SECOND)
        if stamp.rank < self._rank:
            self.time, self.time_kind, self._rank = found, stamp.kind, stamp.rank

    def _value(self, attribute: int, value: Reader, keep: Keep) -> None:
        start = value.at
        values = VALUES[attribute](value, keep)
        if values:
            self.values += values
            return
        # It marks an absent value, or has a form of a later edition, or exceeds a limit. Constant, because another
        # report may have a value in the same place.
        self.oddities.append(Oddity.VALUE_ABSENT)
        self.carried.append(CarriedAttribute(attribute, None, value.since(start)))
