"""Build the `Channel` of a metric object: the type, unit, components and scale of samples that its observations share.

Absent facts are never guessed: without a unit attribute the unit is None, without a scale the slope is 1 and the offset
0. Where attributes contradict each other, the channel has the consistent ones, and the contradiction is noted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import Type
from protocols.ieee11073.apdu.data import OidEntry
from protocols.ieee11073.dim.attribute import (
    PARTITION_DIMENSION,
    PARTITION_METRIC,
    PARTITION_OBJECT,
    Attribute,
    ObjectClass,
)
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.mder import U8, U16, Bits16, decode, decode_list, sequence
from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.tolerances import Oddity
from protocols.medfloat import float_of
from protocols.observation import Channel, SampleArray, SampleFormat
from protocols.reader import Reader

T = TypeVar("T")

METRICS = frozenset({ObjectClass.NUMERIC, ObjectClass.ENUMERATION, ObjectClass.RT_SA})
RELATIVE_TIME_S = 125e-6
"""LSB of RelativeTime."""
SIGNED_SAMPLES = 255
"""significant-bits of signed samples."""
CODES_MAX = 255
"""Limit of codes in one list of a channel, set by its uplink form (`uplink.channels`)."""
CHANNELS_SHARED = 4_096
"""Channels that are kept for devices that associate again: those of some hundred monitors, in some megabytes."""
EXTENDED_VALUE_RANGE = 0x1000
"""SaFlags ext-val-range: the bits above the significant ones have another meaning, for instance an annotation."""

_FORMATS = {
    (8, False): SampleFormat.U8,
    (8, True): SampleFormat.I8,
    (16, False): SampleFormat.U16,
    (16, True): SampleFormat.I16,
    (32, False): SampleFormat.U32,
    (32, True): SampleFormat.I32,
}
_SCALES = {
    Attribute.SCALE_AND_RANGE_I8: 1,
    Attribute.SCALE_AND_RANGE_I16: 2,
    Attribute.SCALE_AND_RANGE_I32: 4,
}


@sequence
class SaSpecification:
    """Sa-Specification of a waveform. `sample_size` is in bits; `significant_bits` is 255 for signed samples."""

    array_size: U16
    sample_size: U8
    significant_bits: U8
    flags: Bits16


@dataclass(frozen=True, slots=True)
class ValueMeaning:
    """Metric and unit that a value itself specifies. `metric_id` or `unit_code` None: the object's attribute applies.
    `attribute` None: the value is the object's own. A value measured in addition, such as Measure-Active-Period,
    becomes a separate observation, whose type is the attribute id `attribute`."""

    metric_id: int | None = None
    unit_code: int | None = None
    attribute: int | None = None


def channel_of(
    handle: int, object_class: int, attributes: Mapping[int, bytes], meaning: ValueMeaning, notes: Notes
) -> Channel:
    """Return the channel of a metric object's values. What `meaning` specifies overrides the attributes; malformed
    attributes are noted."""
    attribute = _Attributes(attributes, notes)
    kind = attribute.decoded(Attribute.TYPE, Type)
    if kind is None:
        notes.add(Oddity.TYPE_MISSING, handle=handle)
        kind = Type(0, 0)
    partition = attribute.number(Attribute.METRIC_ID_PARTITION, 2)
    metric_partition = kind.partition if partition is None else partition
    metric_id = attribute.number(Attribute.METRIC_ID, 2) if meaning.metric_id is None else meaning.metric_id
    unit = attribute.number(Attribute.UNIT_CODE, 2) if meaning.unit_code is None else meaning.unit_code
    supplemental_types = tuple(
        Code(item.partition, item.code) for item in attribute.listed(Attribute.SUPPLEMENTAL_TYPES, Type)
    )
    if meaning.attribute is not None:
        return shared_channel(
            Channel(
                handle=handle,
                type=Code(PARTITION_OBJECT, meaning.attribute),
                unit=Code(PARTITION_DIMENSION, unit) if unit else None,
                supplemental_types=supplemental_types,
            )
        )
    metric_ids = attribute.listed(Attribute.METRIC_ID_LIST, OidEntry)
    array = _sample_array(handle, attribute, notes) if object_class == ObjectClass.RT_SA else None
    return shared_channel(
        Channel(
            handle=handle,
            type=Code(kind.partition, kind.code) if metric_id is None else Code(metric_partition, metric_id),
            unit=Code(PARTITION_DIMENSION, unit) if unit else None,
            components=tuple(Code(metric_partition, entry.attribute_id) for entry in metric_ids),
            supplemental_types=supplemental_types,
            array=array,
        )
    )


@lru_cache(maxsize=CHANNELS_SHARED)
def shared_channel(channel: Channel) -> Channel:
    """Return the same object for equal channels. A device that associates again then has the channel objects of before,
    and so the encoded tables of `protocols.uplink.channel_table`, which are kept by the identities of channels."""
    return channel


def sa_specification(attributes: Mapping[int, bytes]) -> SaSpecification | None:
    """Return the Sa-Specification of a waveform, or None where it is absent or malformed."""
    try:
        return decode(SaSpecification, attributes.get(Attribute.SA_SPECIFICATION, b""))
    except RemoteProtocolError:
        return None


def insignificant_bits(specification: SaSpecification) -> int:
    """Return the number of top bits of each sample that are not part of the value and must be masked (SaFlags
    ext-val-range)."""
    if not specification.flags & EXTENDED_VALUE_RANGE or specification.significant_bits == SIGNED_SAMPLES:
        return 0
    return max(0, specification.sample_size - specification.significant_bits)


def enum_partition(attributes: Mapping[int, bytes]) -> int:
    """Return the partition of an enumeration's OID values, from Enum-Observed-Value-Partition, else from Type, else the
    metric partition."""
    own = attributes.get(Attribute.ENUM_PARTITION, b"")
    if len(own) == 2:
        return int.from_bytes(own, "big")
    kind = attributes.get(Attribute.TYPE, b"")
    return int.from_bytes(kind[:2], "big") if len(kind) == 4 else PARTITION_METRIC


def _sample_array(handle: int, attribute: "_Attributes", notes: Notes) -> SampleArray:
    """Return format, period and scale of a waveform's samples. An unknown sample width is noted; the samples are then
    unscaled."""
    specification = attribute.decoded(Attribute.SA_SPECIFICATION, SaSpecification)
    width = None if specification is None else specification.sample_size // 8
    # Of several scales, the one with the width of the samples applies.
    scales = sorted((known for known in _SCALES if known in attribute.values), key=lambda one: _SCALES[one] != width)
    scale_id = scales[0] if scales else None
    data = 2 if scale_id is None else _SCALES[scale_id]
    bits, signed = data * 8, False
    if specification is not None:
        bits, signed = specification.sample_size, specification.significant_bits == SIGNED_SAMPLES
    period = attribute.number(Attribute.SAMPLE_PERIOD, 4)
    if period is None:
        notes.add(Oddity.SAMPLE_PERIOD_MISSING, handle=handle)
    period_s = (period or 0) * RELATIVE_TIME_S
    sample_format = _FORMATS.get((bits, signed))
    if sample_format is None:
        notes.add(Oddity.SAMPLE_WIDTH, attribute.values.get(Attribute.SA_SPECIFICATION, b""), handle=handle, bits=bits)
        return SampleArray(format=SampleFormat.U8, period_s=period_s, slope=1.0, offset=0.0)
    slope, offset = _scale(handle, attribute, scale_id, data, signed, notes)
    return SampleArray(format=sample_format, period_s=period_s, slope=slope, offset=offset)


def _scale(
    handle: int, attribute: "_Attributes", scale_id: Attribute | None, size: int, signed: bool, notes: Notes
) -> tuple[float, float]:
    """Return slope and offset, so that a value is slope × x + offset for a sample x. By 20601 the value is lower-abs +
    (x - lower-scaled) × (upper-abs - lower-abs) / (upper-scaled - lower-scaled). The scaled limits are signed if the
    samples are signed, regardless of the attribute's name."""
    if scale_id is None:
        return 1.0, 0.0
    bytes_of_scale = attribute.values[scale_id]
    try:
        reader = Reader(bytes_of_scale, clause="20601 §8.4 Scale-and-Range")
        low, high = float_of(reader.u32()), float_of(reader.u32())
        read = reader.signed if signed else reader.unsigned
        low_scaled, high_scaled = read(size), read(size)
        reader.finish()
    except RemoteProtocolError as error:
        notes.add(Oddity.SCALE_UNREADABLE, bytes_of_scale, handle=handle, reason=error.reason)
        return 1.0, 0.0
    if not isinstance(low, float) or not isinstance(high, float) or low_scaled == high_scaled:
        notes.add(Oddity.SCALE_UNUSABLE, bytes_of_scale, handle=handle)
        return 1.0, 0.0
    slope = (high - low) / (high_scaled - low_scaled)
    return slope, low - low_scaled * slope


class _Attributes:
    """Reader of an object's attributes. A malformed attribute is noted and counts as absent."""

    def __init__(self, values: Mapping[int, bytes], notes: Notes) -> None:
        self.values = values
        self._notes = notes

    def number(self, attribute: Attribute, size: int) -> int | None:
        value = self.values.get(attribute)
        if value is None:
            return None
        if len(value) != size:
            self._notes.add(
                Oddity.ATTRIBUTE_LENGTH, value, attribute=attribute.name, bytes_found=len(value), bytes_due=size
            )
            return None
        return int.from_bytes(value, "big")

    def decoded(self, attribute: Attribute, wire_type: type[T]) -> T | None:
        value = self.values.get(attribute)
        if value is None:
            return None
        try:
            return decode(wire_type, value)
        except RemoteProtocolError as error:
            self._unreadable(attribute, value, error)
            return None

    def listed(self, attribute: Attribute, item_type: type[T]) -> tuple[T, ...]:
        value = self.values.get(attribute)
        if value is None:
            return ()
        try:
            listed = decode_list(item_type, value)
            if len(listed) > CODES_MAX:
                raise RemoteProtocolError(f"it lists {len(listed)} codes", clause="20601 §8.2")
        except RemoteProtocolError as error:
            self._unreadable(attribute, value, error)
            return ()
        return listed

    def _unreadable(self, attribute: Attribute, value: bytes, error: RemoteProtocolError) -> None:
        self._notes.add(
            Oddity.ATTRIBUTE_UNREADABLE, value, clause=error.clause, attribute=attribute.name, reason=error.reason
        )
