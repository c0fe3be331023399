"""Build scan reports: what an agent sends, from handles and values (reference 20601 §5).

A report is its form and its encoded observation list; the association adds data-req-id and report number, because the
number belongs to the conversation. `mapped_values` lays values out as an object's Attribute-Value-Map declares, so that
agent and manager read one map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import EventType, GroupedObservation, ObservationScan, ObservationScanFixed
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration, ValueMap, attributes_of, scanner_map, value_map
from protocols.ieee11073.dim.value_fields import TIME_STAMPS
from protocols.ieee11073.mder import encode_list
from protocols.ieee11073.nomenclature.code import Code
from protocols.medfloat import float_raw, sfloat_raw
from protocols.observation import Scalar, Special, Value

Measured = Value | bytes
"""A value as an `Observation` has it, or the octets of samples, big-endian."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one object reports: the value, when it was measured, and the Measurement-Status where there is one."""

    handle: int
    value: Measured
    time: DeviceTime | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class ScanReport:
    """A report without its numbers. `handle` is 0 for the MDS, else the scanner that reports."""

    event_type: EventType
    observations: bytes
    handle: int = 0


def fixed_report(
    configuration: Configuration, readings: Sequence[Reading], *, scanner: int | None = None
) -> ScanReport:
    """A report in fixed form, buffered from a scanner. `LocalProtocolError` for an object without a map."""
    items = tuple(
        ObservationScanFixed(reading.handle, mapped_values(_map_of(configuration, reading.handle, scanner), reading))
        for reading in readings
    )
    event_type = EventType.SCAN_REPORT_FIXED if scanner is None else EventType.BUF_SCAN_REPORT_FIXED
    return ScanReport(event_type, encode_list(items), scanner or 0)


def variable_report(
    configuration: Configuration,
    readings: Sequence[Reading],
    *,
    scanner: int | None = None,
    extra: Mapping[int, Sequence[AvaType]] | None = None,
) -> ScanReport:
    """A report in variable form. `extra` are further attributes by handle, such as a changed unit."""
    items = []
    for reading in readings:
        attribute = _value_attribute(configuration, reading)
        attributes = [AvaType(attribute, encoded_value(attribute, reading.value))]
        if reading.time is not None:
            attributes.append(AvaType(_STAMP_OF[reading.time.kind], reading.time.octets))
        if reading.status is not None:
            attributes.append(AvaType(Attribute.MEASUREMENT_STATUS, reading.status.to_bytes(2, "big")))
        attributes += (extra or {}).get(reading.handle, ())
        items.append(ObservationScan(reading.handle, tuple(attributes)))
    event_type = EventType.SCAN_REPORT_VAR if scanner is None else EventType.BUF_SCAN_REPORT_VAR
    return ScanReport(event_type, encode_list(tuple(items)), scanner or 0)


def grouped_report(configuration: Configuration, scanner: int, groups: Sequence[Sequence[Reading]]) -> ScanReport:
    """A buffered report in grouped form: each group has a reading of each object that the scanner maps."""
    scans = scanner_map(_attribute(configuration, scanner, Attribute.SCAN_HANDLE_ATTR_VAL_MAP))
    strings = []
    for group in groups:
        by_handle = {reading.handle: reading for reading in group}
        if set(by_handle) != {handle for handle, _ in scans}:
            raise LocalProtocolError("a group has other objects than its scanner")
        values = b"".join(mapped_values(mapped, by_handle[handle]) for handle, mapped in scans)
        strings.append(GroupedObservation(values))
    return ScanReport(EventType.BUF_SCAN_REPORT_GROUPED, encode_list(tuple(strings)), scanner)


def mapped_values(mapped: ValueMap, reading: Reading) -> bytes:
    """An observation in fixed form. `LocalProtocolError` where map and reading do not agree."""
    out = bytearray()
    stamps = 0
    for attribute, octets in mapped:
        if attribute in TIME_STAMPS:
            if reading.time is None or _STAMP_OF[reading.time.kind] != attribute:
                raise LocalProtocolError(f"handle {reading.handle} reports with another time stamp")
            value, stamps = reading.time.octets, stamps + 1
        elif attribute == Attribute.MEASUREMENT_STATUS:
            value = (reading.status or 0).to_bytes(2, "big")
        else:
            value = encoded_value(attribute, reading.value)
        if len(value) != octets:
            raise LocalProtocolError(f"a value of handle {reading.handle} has {len(value)} octets, its map {octets}")
        out += value
    if reading.time is not None and not stamps:
        raise LocalProtocolError(f"handle {reading.handle} reports without a time stamp")
    return bytes(out)


def encoded_value(attribute: int, value: Measured) -> bytes:
    """The MDER form of a value as that attribute. Raises `LocalProtocolError` where the value is of another kind."""
    match attribute, value:
        case Attribute.NU_BASIC, float() | int() | Special():
            return sfloat_raw(value).to_bytes(2, "big")
        case Attribute.NU_SIMPLE, float() | int() | Special():
            return float_raw(value).to_bytes(4, "big")
        case Attribute.NU_COMPOUND_BASIC, tuple():
            return _compound(value, 2)
        case Attribute.NU_COMPOUND_SIMPLE, tuple():
            return _compound(value, 4)
        case Attribute.SA_SIMPLE, bytes():
            return len(value).to_bytes(2, "big") + value
        case Attribute.ENUM_SIMPLE_OID, Code():
            return value.code.to_bytes(2, "big")
        case Attribute.ENUM_SIMPLE_BITS, int():
            return value.to_bytes(4, "big")
        case Attribute.ENUM_BASIC_BITS, int():
            return value.to_bytes(2, "big")
        case Attribute.ENUM_SIMPLE_STRING, str():
            text = value.encode()
            text += b" " * (len(text) % 2)
            return len(text).to_bytes(2, "big") + text
    raise LocalProtocolError(f"attribute {attribute} does not hold a {type(value).__name__}")


_STAMP_OF = {
    TimeKind.ABSOLUTE: Attribute.TIME_STAMP_ABSOLUTE,
    TimeKind.BASE_OFFSET: Attribute.TIME_STAMP_BASE_OFFSET,
    TimeKind.RELATIVE: Attribute.TIME_STAMP_RELATIVE,
    TimeKind.HIGH_RESOLUTION: Attribute.TIME_STAMP_HIGH_RESOLUTION,
}


def _compound(values: Sequence[Scalar | int], octets: int) -> bytes:
    raw = sfloat_raw if octets == 2 else float_raw
    items = b"".join(raw(value).to_bytes(octets, "big") for value in values)
    return len(values).to_bytes(2, "big") + len(items).to_bytes(2, "big") + items


def _attribute(configuration: Configuration, handle: int, attribute: Attribute) -> bytes:
    for item in configuration.objects:
        if item.obj_handle == handle:
            value = attributes_of(item.attributes).get(attribute)
            if value is not None:
                return value
    raise LocalProtocolError(f"handle {handle} has no {attribute.name}")


def _map_of(configuration: Configuration, handle: int, scanner: int | None) -> ValueMap:
    if scanner is not None:
        for scanned, mapped in scanner_map(_attribute(configuration, scanner, Attribute.SCAN_HANDLE_ATTR_VAL_MAP)):
            if scanned == handle:
                return mapped
    return value_map(_attribute(configuration, handle, Attribute.ATTRIBUTE_VALUE_MAP))


def _value_attribute(configuration: Configuration, reading: Reading) -> int:
    """The attribute that an object's map uses for its value; a text has none and is a simple string."""
    if isinstance(reading.value, str):
        return Attribute.ENUM_SIMPLE_STRING
    mapped = value_map(_attribute(configuration, reading.handle, Attribute.ATTRIBUTE_VALUE_MAP))
    return next(
        attribute
        for attribute, _ in mapped
        if attribute not in TIME_STAMPS and attribute != Attribute.MEASUREMENT_STATUS
    )
