"""Build the scan reports that an agent sends, from handles and values (reference 20601 §5).

The association adds data-req-id and report number, because it counts the reports. Readings with a person make a
multi-person report. The class of a scanner decides whether its reports are buffered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import (
    EventType,
    GroupedObservation,
    ObservationScan,
    ObservationScanFixed,
    PersonScan,
    PersonScanFixed,
    PersonScanGrouped,
)
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration, ValueMap, attributes_of, scanner_map, value_map
from protocols.ieee11073.dim.report_forms import EVENT_TYPES, Reporter, ReportForm, ScanForm
from protocols.ieee11073.dim.report_values import Measured, encoded_value, own_attribute
from protocols.ieee11073.dim.value_fields import TIME_STAMPS
from protocols.ieee11073.mder import encode_list
from protocols.observation import Special


@dataclass(frozen=True, slots=True)
class Reading:
    """The values of one object in a report. `value` None: only attributes, as for the MDS (handle 0). `status` is the
    Measurement-Status, `active_s` the Measure-Active-Period in seconds. `person` None: the device does not distinguish
    persons. Of the further `attributes`, a fixed report sends only those in the object's map."""

    handle: int
    value: Measured | None
    time: DeviceTime | None = None
    status: int | None = None
    person: int | None = None
    active_s: float | None = None
    attributes: tuple[AvaType, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanReport:
    """A scan report of the MDS (`handle` 0) or a scanner, without data-req-id and report number."""

    event_type: EventType
    observations: bytes
    handle: int = 0


def fixed_report(
    configuration: Configuration, readings: Sequence[Reading], *, scanner: int | None = None
) -> ScanReport:
    """Return a fixed report of the scanner with the handle `scanner`, or of the MDS if `scanner` is None. Raises
    `LocalProtocolError` for an object without an Attribute-Value-Map."""
    items = []
    for reading in readings:
        values = mapped_values(_map_of(configuration, reading.handle, scanner), reading)
        items.append((reading.person, ObservationScanFixed(reading.handle, values)))
    return _report(configuration, ReportForm.FIXED, items, scanner)


def variable_report(
    configuration: Configuration,
    readings: Sequence[Reading],
    *,
    scanner: int | None = None,
    extra: Mapping[int, Sequence[AvaType]] | None = None,
) -> ScanReport:
    """Return a variable report of the scanner with the handle `scanner`, or of the MDS if `scanner` is None. `extra`
    maps handles of objects to further attributes."""
    items = []
    for reading in readings:
        attributes = []
        if reading.value is not None:
            attribute = own_attribute(reading.value) or _value_attribute(configuration, reading)
            attributes.append(AvaType(attribute, encoded_value(attribute, reading.value)))
        if reading.time is not None:
            attributes.append(AvaType(_STAMP_OF[reading.time.kind], reading.time.octets))
        if reading.active_s is not None:
            active = encoded_value(Attribute.MEASURE_ACTIVE_PERIOD, reading.active_s)
            attributes.append(AvaType(Attribute.MEASURE_ACTIVE_PERIOD, active))
        if reading.status is not None:
            attributes.append(AvaType(Attribute.MEASUREMENT_STATUS, reading.status.to_bytes(2, "big")))
        attributes += (*reading.attributes, *(extra or {}).get(reading.handle, ()))
        items.append((reading.person, ObservationScan(reading.handle, tuple(attributes))))
    return _report(configuration, ReportForm.VARIABLE, items, scanner)


def grouped_report(configuration: Configuration, scanner: int, groups: Sequence[Sequence[Reading]]) -> ScanReport:
    """Return a grouped report. Each group has one reading, of one person, for each object in the scanner's map."""
    scans = scanner_map(_attribute(configuration, scanner, Attribute.SCAN_HANDLE_ATTR_VAL_MAP))
    items = []
    for group in groups:
        by_handle = {reading.handle: reading for reading in group}
        if set(by_handle) != {handle for handle, _ in scans}:
            raise LocalProtocolError("a group has other objects than its scanner")
        values = b"".join(mapped_values(mapped, by_handle[handle]) for handle, mapped in scans)
        items.append((group[0].person, GroupedObservation(values)))
    return _report(configuration, ReportForm.GROUPED, items, scanner)


def _report(
    configuration: Configuration,
    form: ReportForm,
    items: Sequence[tuple[Any, Any]],
    scanner: int | None,
) -> ScanReport:
    """Return a report of (person, observation) pairs. Except in a grouped report, consecutive observations of one
    person are sent as one list with one person-id."""
    named = {person is not None for person, _ in items}
    if len(named) > 1:
        raise LocalProtocolError("a report distinguishes persons or it does not")
    persons = named == {True}
    reporter = Reporter.DEVICE if scanner is None else _reporter(configuration, scanner)
    event_type = EVENT_TYPES[ScanForm(form, reporter, persons=persons)]
    observations: tuple[object, ...] = tuple(item for _, item in items)
    if persons and form is ReportForm.GROUPED:
        observations = tuple(PersonScanGrouped(person, item.values) for person, item in items)
    elif persons:
        kind = PersonScanFixed if form is ReportForm.FIXED else PersonScan
        by_person = groupby(items, key=itemgetter(0))
        observations = tuple(kind(person, tuple(item for _, item in group)) for person, group in by_person)
    return ScanReport(event_type, encode_list(observations), scanner or 0)


def _reporter(configuration: Configuration, scanner: int) -> Reporter:
    for item in configuration.objects:
        if item.obj_handle == scanner and item.obj_class in _REPORTERS:
            return _REPORTERS[item.obj_class]
    raise LocalProtocolError(f"handle {scanner} is no scanner")


def mapped_values(mapped: ValueMap, reading: Reading) -> bytes:
    """Encode an observation in fixed form. Raises `LocalProtocolError` where the reading does not fit the map."""
    out = bytearray()
    stamps = 0
    further = attributes_of(reading.attributes)
    for attribute, data in mapped:
        if attribute in TIME_STAMPS:
            if reading.time is None or _STAMP_OF[reading.time.kind] != attribute:
                raise LocalProtocolError(f"handle {reading.handle} reports with another time stamp")
            value, stamps = reading.time.octets, stamps + 1
        elif attribute == Attribute.MEASUREMENT_STATUS:
            value = (reading.status or 0).to_bytes(2, "big")
        elif attribute == Attribute.MEASURE_ACTIVE_PERIOD:
            value = encoded_value(attribute, Special.NAN if reading.active_s is None else reading.active_s)
        elif attribute in further:
            value = further[attribute]
        elif reading.value is None:
            raise LocalProtocolError(f"handle {reading.handle} reports without a value")
        else:
            value = encoded_value(attribute, reading.value)
        if len(value) != data:
            raise LocalProtocolError(f"a value of handle {reading.handle} has {len(value)} bytes, its map {data}")
        out += value
    if reading.time is not None and not stamps:
        raise LocalProtocolError(f"handle {reading.handle} reports without a time stamp")
    return bytes(out)


_REPORTERS: Mapping[int, Reporter] = {
    ObjectClass.EPISODIC_SCANNER: Reporter.EPISODIC,
    ObjectClass.PERIODIC_SCANNER: Reporter.PERIODIC,
}
_BESIDE_VALUES = frozenset({Attribute.MEASUREMENT_STATUS, Attribute.MEASURE_ACTIVE_PERIOD})
_STAMP_OF = {
    TimeKind.ABSOLUTE: Attribute.TIME_STAMP_ABSOLUTE,
    TimeKind.BASE_OFFSET: Attribute.TIME_STAMP_BASE_OFFSET,
    TimeKind.RELATIVE: Attribute.TIME_STAMP_RELATIVE,
    TimeKind.HIGH_RESOLUTION: Attribute.TIME_STAMP_HIGH_RESOLUTION,
}


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
    """Return the id of the attribute that holds the value of `reading`, from the Attribute-Value-Map of its object."""
    further = attributes_of(reading.attributes)
    mapped = value_map(_attribute(configuration, reading.handle, Attribute.ATTRIBUTE_VALUE_MAP))
    for attribute, _ in mapped:
        if attribute not in TIME_STAMPS and attribute not in _BESIDE_VALUES and attribute not in further:
            return attribute
    raise LocalProtocolError(f"the map of handle {reading.handle} has no value")
