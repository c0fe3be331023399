"""Declare a PM-store, define a segment's layout and write its entries, for an agent with a memory (reference 20601 §7).

Values are encoded as in reports (`reports.mapped_values`), so that a stored measurement has the same bytes as a live
one. By default an entry's header has one absolute time, as in devices with a calendar.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from protocols.device_time import DeviceTime
from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu.attributes import AttrValMapEntry, AvaType, Type
from protocols.ieee11073.apdu.data import ConfigObject
from protocols.ieee11073.apdu.pm_store import (
    CAPABILITY_CLEAR_BY_LIST,
    CAPABILITY_EPISODIC_ENTRIES,
    CAPABILITY_VARIABLE_SEGMENTS,
    HEADER_ABSOLUTE_TIME,
    SegmentEntryElement,
    SegmentEntryMap,
)
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration, attributes_of, value_map
from protocols.ieee11073.dim.objects import ava
from protocols.ieee11073.dim.reports import Reading, mapped_values
from protocols.ieee11073.dim.value_fields import TIME_STAMPS
from protocols.ieee11073.mder import decode

EPISODIC_STORE = CAPABILITY_VARIABLE_SEGMENTS | CAPABILITY_EPISODIC_ENTRIES | CAPABILITY_CLEAR_BY_LIST
"""PM-Store-Capab of a memory of single measurements whose segments can be cleared one by one."""


def pm_store(
    handle: int, *, capability: int = EPISODIC_STORE, attributes: Mapping[int, bytes] | None = None
) -> ConfigObject:
    """Return a PM-store object for a configuration."""
    more = tuple(AvaType(attribute, value) for attribute, value in (attributes or {}).items())
    return ConfigObject(ObjectClass.PM_STORE, handle, (ava(Attribute.PM_STORE_CAPABILITY, capability), *more))


def entry_map(
    configuration: Configuration, handles: Sequence[int], header: int = HEADER_ABSOLUTE_TIME
) -> SegmentEntryMap:
    """Return the layout of entries with the values of the objects `handles`. Time stamps of these objects are left out,
    since the entry's header has the time. Raises `LocalProtocolError` for an object without a Type or an
    Attribute-Value-Map."""
    return SegmentEntryMap(header, tuple(_element(configuration, handle) for handle in handles))


def _element(configuration: Configuration, handle: int) -> SegmentEntryElement:
    for item in configuration.objects:
        attributes = attributes_of(item.attributes)
        if item.obj_handle == handle and Attribute.ATTRIBUTE_VALUE_MAP in attributes and Attribute.TYPE in attributes:
            pairs = value_map(attributes[Attribute.ATTRIBUTE_VALUE_MAP])
            entries = tuple(AttrValMapEntry(*pair) for pair in pairs if pair[0] not in TIME_STAMPS)
            return SegmentEntryElement(item.obj_class, decode(Type, attributes[Attribute.TYPE]), handle, entries)
    raise LocalProtocolError(f"handle {handle} has no type or no Attribute-Value-Map to be stored by")


def entry(layout: SegmentEntryMap, time: DeviceTime | None, readings: Sequence[Reading]) -> bytes:
    """Return one encoded entry: the time of its header (`time` None: the header has no time), and the values of the
    readings in the order of the map `layout`. Raises `LocalProtocolError` where the readings do not fit the map."""
    if len(readings) != len(layout.segm_entry_elem_list):
        raise LocalProtocolError("an entry has one reading for each element of its map")
    values = b""
    for element, reading in zip(layout.segm_entry_elem_list, readings, strict=True):
        if element.handle != reading.handle:
            raise LocalProtocolError(f"handle {reading.handle} stands where handle {element.handle} is due")
        pairs = tuple((item.attribute_id, item.attribute_len) for item in element.attr_val_map)
        values += mapped_values(pairs, replace(reading, time=None, person=None))
    return (b"" if time is None else time.octets) + values
