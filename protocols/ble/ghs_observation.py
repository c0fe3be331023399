"""Wire form of a Health Observation (reference BLE §10): eleven optional fields and one of nine kinds of value.

Types, units and codes are 11073 codes already, so they stay numbers here: a unit is a code of partition 4, any other
code is context-free (partition and code in 32 bits). Parts whose layout or meaning is not confirmed are not decoded:
TLVs (and the value after them, whose beginning is then unknown), state and event masks, and unknown value classes.
Their bytes become `Raw`; the fields before them are decoded.

Bundles and compounds may be nested. The depth is limited, so that a peer cannot exhaust the stack.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from protocols.ble.elapsed_time import ELAPSED_TIME_BYTES, ELAPSED_TIME_LAYOUT, ElapsedTime
from protocols.ble.wire import GattReader, GattWriter
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.observation import Scalar

CLAUSE: Final = "GHSS observation"
OBSERVATION_BYTES_MAX: Final = 3 + 0xFFFF
"""Class, length field and the longest content that the length field allows."""
DEPTH_MAX: Final = 4
"""Limit of nested bundles; the reference has one level."""

_TYPE, _TIME, _DURATION, _STATUS, _ID, _PATIENT, _SUPPLEMENTAL, _DERIVED, _MEMBER, _TLVS = (
    1 << bit for bit in range(10)
)
_FLAGS = 0x03FF


class ObservationClass(IntEnum):
    NUMERIC = 1
    DISCRETE = 2
    STRING = 3
    SAMPLES = 4
    EVENTS = 5
    STATES = 6
    COMPOUND = 7
    TLV = 8
    BUNDLE = 255


@dataclass(frozen=True, slots=True)
class Numeric:
    unit: int
    value: Scalar


@dataclass(frozen=True, slots=True)
class Discrete:
    """Value that is a single code."""

    code: int


@dataclass(frozen=True, slots=True)
class Text:
    """Text as sent: UTF-8 where the device follows the specification."""

    octets: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Array of samples, each of `sample_bytes` bytes, least significant byte first. It is not confirmed whether samples
    are signed, and whether a value is scale × sample + offset or scale × (sample - offset)."""

    unit: int
    scale: Scalar
    offset: Scalar
    period_s: Scalar
    per_period: int
    sample_bytes: int
    """Bytes of one sample, at least 1."""
    octets: bytes


@dataclass(frozen=True, slots=True)
class Events:
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Component:
    type: int
    value: "GhsValue"


@dataclass(frozen=True, slots=True)
class Compound:
    """Value of several components. Decoding ends at a `Raw` component, whose bytes include the bytes of all later
    components. `untold` is the number of these later components."""

    components: tuple[Component, ...]
    untold: int = 0


@dataclass(frozen=True, slots=True)
class Bundle:
    """Group of observations. A field of the bundle, such as the time, applies to each member that lacks this field."""

    members: tuple["GhsObservation", ...]


@dataclass(frozen=True, slots=True)
class Raw:
    """Undecoded bytes of a value, with its observation class."""

    observation_class: int
    octets: bytes


GhsValue: TypeAlias = Numeric | Discrete | Text | Samples | Events | Compound | Bundle | Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class GhsObservation:
    """One observation. None: the field is absent. `status` holds the bits as sent. Where `has_tlvs` is set, `value` is
    `Raw` and holds the TLVs and all bytes after them."""

    value: GhsValue
    type: int | None = None
    time: ElapsedTime | None = None
    duration_s: Scalar | None = None
    status: int | None = None
    observation_id: int | None = None
    patient: int | None = None
    supplementals: tuple[int, ...] | None = None
    derived_from: tuple[int, ...] | None = None
    member_of: tuple[int, ...] | None = None
    has_tlvs: bool = False


def decode_observation(data: bytes) -> GhsObservation:
    reader = GattReader(data, clause=CLAUSE)
    value = _read_observation(reader, DEPTH_MAX)
    reader.finish()
    return value


def encode_observation(value: GhsObservation) -> bytes:
    """Encode an observation. Raises LocalProtocolError where a value does not fit its field."""
    flags, facts = _written_facts(value)
    writer = GattWriter()
    observation_class = _write_value(writer, value.value)
    content = flags.to_bytes(2, "little") + facts + writer.value()
    return GattWriter().unsigned(observation_class, 1).unsigned(len(content), 2).raw(content).value()


def _read_observation(outer: GattReader, depth: int) -> GhsObservation:
    if not depth:
        raise RemoteProtocolError(f"bundles are nested deeper than {DEPTH_MAX}", at=outer.at, clause=CLAUSE)
    observation_class = outer.u8()
    reader = GattReader(outer.take(outer.u16()), clause=CLAUSE)
    flags = reader.flags(2, _FLAGS)
    value = GhsObservation(
        type=reader.unsigned(4) if flags & _TYPE else None,
        time=ELAPSED_TIME_LAYOUT.decode(reader.take(ELAPSED_TIME_BYTES)) if flags & _TIME else None,
        duration_s=reader.float32() if flags & _DURATION else None,
        status=reader.u16() if flags & _STATUS else None,
        observation_id=reader.unsigned(4) if flags & _ID else None,
        patient=reader.u8() if flags & _PATIENT else None,
        supplementals=_read_numbers(reader) if flags & _SUPPLEMENTAL else None,
        derived_from=_read_numbers(reader) if flags & _DERIVED else None,
        member_of=_read_numbers(reader) if flags & _MEMBER else None,
        has_tlvs=bool(flags & _TLVS),
        value=(
            Raw(observation_class, reader.rest()) if flags & _TLVS else _read_value(reader, observation_class, depth)
        ),
    )
    reader.finish()
    return value


def _read_numbers(reader: GattReader) -> tuple[int, ...]:
    """Read a list: a count of 8 bits, and as many numbers of 32 bits."""
    return tuple(reader.unsigned(4) for _ in range(reader.u8()))


def _read_value(reader: GattReader, observation_class: int, depth: int) -> GhsValue:
    match observation_class:
        case ObservationClass.NUMERIC:
            return Numeric(reader.u16(), reader.float32())
        case ObservationClass.DISCRETE:
            return Discrete(reader.unsigned(4))
        case ObservationClass.STRING:
            return Text(reader.take(reader.u16()))
        case ObservationClass.SAMPLES:
            return _read_samples(reader)
        case ObservationClass.EVENTS:
            return Events(_read_numbers(reader))
        case ObservationClass.COMPOUND:
            return _read_compound(reader, depth)
        case ObservationClass.BUNDLE:
            return Bundle(tuple(_read_observation(reader, depth - 1) for _ in range(reader.u8())))
    return Raw(observation_class, reader.rest())


def _read_samples(reader: GattReader) -> Samples:
    unit, scale, offset, period_s = reader.u16(), reader.float32(), reader.float32(), reader.float32()
    per_period, sample_bytes, count = reader.u8(), reader.u8(), reader.unsigned(4)
    if not sample_bytes:
        raise RemoteProtocolError("samples have no bytes", at=reader.at, clause=CLAUSE)
    return Samples(
        unit=unit,
        scale=scale,
        offset=offset,
        period_s=period_s,
        per_period=per_period,
        sample_bytes=sample_bytes,
        octets=reader.take(count * sample_bytes),
    )


def _read_compound(reader: GattReader, depth: int) -> Compound:
    if depth <= 1:
        raise RemoteProtocolError(f"compounds are nested deeper than {DEPTH_MAX}", at=reader.at, clause=CLAUSE)
    count = reader.u8()
    components: list[Component] = []
    while len(components) < count:
        component = Component(reader.unsigned(4), _read_value(reader, reader.u8(), depth - 1))
        components.append(component)
        if isinstance(component.value, Raw):
            break
    return Compound(tuple(components), count - len(components))


def _written_facts(value: GhsObservation) -> tuple[int, bytes]:
    """Return the flags of the observation, and its optional fields encoded in wire order."""
    writer = GattWriter()
    flags = 0
    if value.type is not None:
        flags |= _TYPE
        writer.unsigned(value.type, 4)
    if value.time is not None:
        flags |= _TIME
        writer.raw(ELAPSED_TIME_LAYOUT.encode(value.time))
    if value.duration_s is not None:
        flags |= _DURATION
        writer.float32(value.duration_s)
    if value.status is not None:
        flags |= _STATUS
        writer.unsigned(value.status, 2)
    if value.observation_id is not None:
        flags |= _ID
        writer.unsigned(value.observation_id, 4)
    if value.patient is not None:
        flags |= _PATIENT
        writer.unsigned(value.patient, 1)
    for flag, numbers in (
        (_SUPPLEMENTAL, value.supplementals),
        (_DERIVED, value.derived_from),
        (_MEMBER, value.member_of),
    ):
        if numbers is not None:
            flags |= flag
            _write_numbers(writer, numbers)
    return flags | (_TLVS if value.has_tlvs else 0), writer.value()


def _write_numbers(writer: GattWriter, numbers: Sequence[int]) -> None:
    writer.unsigned(len(numbers), 1)
    for number in numbers:
        writer.unsigned(number, 4)


def _write_value(writer: GattWriter, value: GhsValue) -> int:
    """Write a value and return its observation class."""
    match value:
        case Numeric():
            writer.unsigned(value.unit, 2).float32(value.value)
            return ObservationClass.NUMERIC
        case Discrete():
            writer.unsigned(value.code, 4)
            return ObservationClass.DISCRETE
        case Text():
            writer.unsigned(len(value.octets), 2).raw(value.octets)
            return ObservationClass.STRING
        case Samples():
            _write_samples(writer, value)
            return ObservationClass.SAMPLES
        case Events():
            _write_numbers(writer, value.codes)
            return ObservationClass.EVENTS
        case Compound():
            _write_compound(writer, value)
            return ObservationClass.COMPOUND
        case Bundle():
            writer.unsigned(len(value.members), 1)
            for member in value.members:
                writer.raw(encode_observation(member))
            return ObservationClass.BUNDLE
        case Raw():
            writer.raw(value.octets)
            return value.observation_class


def _write_samples(writer: GattWriter, value: Samples) -> None:
    whole, rest = divmod(len(value.octets), value.sample_bytes)
    if rest:
        raise LocalProtocolError("the bytes hold no whole number of samples")
    writer.unsigned(value.unit, 2).float32(value.scale).float32(value.offset).float32(value.period_s)
    writer.unsigned(value.per_period, 1).unsigned(value.sample_bytes, 1).unsigned(whole, 4).raw(value.octets)


def _write_compound(writer: GattWriter, value: Compound) -> None:
    writer.unsigned(len(value.components) + value.untold, 1)
    for component in value.components:
        content = GattWriter()
        observation_class = _write_value(content, component.value)
        writer.unsigned(component.type, 4).unsigned(observation_class, 1).raw(content.value())
