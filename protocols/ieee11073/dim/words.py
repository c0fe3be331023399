"""Attribute values in words: a device's configuration and MDS as text for people.

An attribute with a row here is decoded by its wire type. An attribute without a row, or with a malformed value, is left
to the caller, which shows it in hexadecimal. Measurements never use this module.
"""

from collections.abc import Callable, Mapping

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import Type
from protocols.ieee11073.apdu.data import OidEntry
from protocols.ieee11073.dim.attribute import PARTITION_DIMENSION, PARTITION_METRIC, PARTITION_OBJECT, Attribute
from protocols.ieee11073.dim.channels import RELATIVE_TIME_S, SIGNED_SAMPLES, SaSpecification
from protocols.ieee11073.dim.configuration import ValueMap, scanner_map, value_map
from protocols.ieee11073.mder import decode, decode_list
from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.nomenclature.tables import name_of
from protocols.medfloat import float_of
from protocols.reader import Reader

Bits = Mapping[int, str]
"""Bits by mask, each with its meaning when it is set."""

TIME_CAPABILITIES: Bits = {
    0x8000: "has a real-time clock",
    0x4000: "its clock can be set",
    0x2000: "counts relative time",
    0x1000: "counts high-resolution relative time",
    0x0800: "can synchronise its absolute time by itself",
    0x0400: "can synchronise its relative time by itself",
    0x0200: "can synchronise its high-resolution time by itself",
    0x0100: "has base-offset time",
    0x0080: "absolute time is synchronised",
    0x0040: "relative time is synchronised",
    0x0020: "high-resolution time is synchronised",
    0x0010: "wants its manager to set the time",
    0x0008: "can synchronise its base-offset time by itself",
    0x0004: "base-offset time is synchronised",
    0x0002: "base-offset time is aligned to UTC",
    0x0001: "follows daylight-saving rules",
}
"""mds-time-cap-state."""

POWER_STATUS: Bits = {
    0x8000: "on mains",
    0x4000: "on battery",
    0x0080: "charging, full",
    0x0040: "charging, trickle",
    0x0020: "not charging",
}

METRIC_SPEC: Bits = {
    0x8000: "intermittent",
    0x4000: "stored",
    0x2000: "updated aperiodically",
    0x1000: "measured aperiodically",
    0x0800: "physical event",
    0x0400: "beat to beat",
    0x0080: "manager-initiated",
    0x0040: "agent-initiated",
    0x0008: "manual",
    0x0004: "setting",
    0x0002: "calculated",
}
"""Metric-Spec-Small."""

PRODUCTION = {
    0: "unspecified",
    1: "serial number",
    2: "part number",
    3: "hardware revision",
    4: "software revision",
    5: "firmware revision",
    6: "protocol revision",
    7: "GMDN",
}
"""spec-type of a Production-Specification."""

_STRUCTURE = {0: "simple", 1: "compound", 2: "reserved", 3: "compound, fixed"}
_OPERATIONAL = {0: "disabled", 1: "enabled", 2: "not available"}
_CONFIRM = {0: "unconfirmed", 1: "confirmed"}


def bit_names(bits: int, words: Bits) -> tuple[str, ...]:
    """Return the names of the set bits in the order of `words`, then one hexadecimal mask of all bits
    without a name."""
    known = [word for mask, word in words.items() if bits & mask]
    unknown = bits & ~sum(words)
    return (*known, f"0x{unknown:04X}") if unknown else tuple(known)


def attribute_name(attribute_id: int) -> str:
    """Return the reference identifier, MDC_ATTR_…, or partition and code, such as 1:1234, if the code is unknown."""
    return name_of(Code(PARTITION_OBJECT, attribute_id))


def attribute_words(attribute_id: int, data: bytes) -> str | None:
    """Return an attribute's value in words; None if the attribute has no row or its value is malformed."""
    words = _WORDS.get(attribute_id)
    if words is None:
        return None
    try:
        return words(data)
    except RemoteProtocolError:
        return None


def map_words(mapped: ValueMap) -> str:
    """Return an Attribute-Value-Map as text: the name of each attribute and its number of bytes."""
    return ", ".join(f"{attribute_name(attribute_id)} ({data})" for attribute_id, data in mapped)


def _number(data: bytes) -> int:
    if len(data) not in (1, 2, 4):
        raise RemoteProtocolError("a number has 1, 2 or 4 bytes", clause="20601 §1")
    reader = Reader(data, clause="20601 §8")
    number = reader.unsigned(len(data))
    reader.finish()
    return number


def _relative_time(data: bytes) -> str:
    return f"{_number(data) * RELATIVE_TIME_S:g} s"


def _code(partition: int) -> Callable[[bytes], str]:
    return lambda data: name_of(Code(partition, _number(data)))


def _one_of(names: Mapping[int, str]) -> Callable[[bytes], str]:
    return lambda data: names.get(_number(data)) or str(_number(data))


def _type(data: bytes) -> str:
    kind = decode(Type, data)
    return name_of(Code(kind.partition, kind.code))


def _types(data: bytes) -> str:
    return ", ".join(name_of(Code(kind.partition, kind.code)) for kind in decode_list(Type, data))


def _metric_ids(data: bytes) -> str:
    return ", ".join(name_of(Code(PARTITION_METRIC, entry.attribute_id)) for entry in decode_list(OidEntry, data))


def _structure(data: bytes) -> str:
    number = _number(data)
    return f"{_STRUCTURE.get(number >> 8, number >> 8)}, {number & 0xFF} components"


def _samples(data: bytes) -> str:
    specification = decode(SaSpecification, data)
    sign = "signed" if specification.significant_bits == SIGNED_SAMPLES else f"{specification.significant_bits} used"
    return f"{specification.array_size} samples of {specification.sample_size} bits, {sign}"


def _scale(data: bytes) -> str:
    reader = Reader(data, clause="20601 §8.4 Scale-and-Range")
    low, high = float_of(reader.u32()), float_of(reader.u32())
    width = reader.remaining // 2
    scaled = reader.take(width).hex().upper(), reader.take(width).hex().upper()
    return f"{low} to {high} as 0x{scaled[0]} to 0x{scaled[1]}"


def _scanned(data: bytes) -> str:
    return "; ".join(f"{handle}: {map_words(mapped)}" for handle, mapped in scanner_map(data))


_WORDS: Mapping[int, Callable[[bytes], str]] = {
    Attribute.TYPE: _type,
    Attribute.SUPPLEMENTAL_TYPES: _types,
    Attribute.METRIC_SPEC_SMALL: lambda data: ", ".join(bit_names(_number(data), METRIC_SPEC)),
    Attribute.METRIC_STRUCTURE_SMALL: _structure,
    Attribute.METRIC_ID: _code(PARTITION_METRIC),
    Attribute.METRIC_ID_LIST: _metric_ids,
    Attribute.UNIT_CODE: _code(PARTITION_DIMENSION),
    Attribute.ATTRIBUTE_VALUE_MAP: lambda data: map_words(value_map(data)),
    Attribute.SCAN_HANDLE_ATTR_VAL_MAP: _scanned,
    Attribute.SAMPLE_PERIOD: _relative_time,
    Attribute.REPORTING_INTERVAL: _relative_time,
    Attribute.CONFIRM_TIMEOUT: _relative_time,
    Attribute.SA_SPECIFICATION: _samples,
    Attribute.SCALE_AND_RANGE_I8: _scale,
    Attribute.SCALE_AND_RANGE_I16: _scale,
    Attribute.SCALE_AND_RANGE_I32: _scale,
    Attribute.OPERATIONAL_STATE: _one_of(_OPERATIONAL),
    Attribute.CONFIRM_MODE: _one_of(_CONFIRM),
    Attribute.TRANSMIT_WINDOW: lambda data: str(_number(data)),
    Attribute.METRIC_ID_PARTITION: lambda data: str(_number(data)),
    Attribute.ENUM_PARTITION: lambda data: str(_number(data)),
}
