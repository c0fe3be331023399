"""The manager's picture of one associated device: its objects with their attributes as they stand now.

It starts as the agreed configuration. A report in variable form may change an attribute that gives later values their
meaning (a unit, a scale); `reshape` takes that, and `version` tells whoever compiled something from the old picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from protocols.ieee11073.dim.attribute import SHAPING, Attribute
from protocols.ieee11073.dim.channels import METRICS, ValueMeaning, channel_of, enum_partition
from protocols.ieee11073.dim.configuration import Configuration, ValueMap, attributes_of, scanner_map, value_map
from protocols.ieee11073.dim.notes import Notes
from protocols.observation import Channel

CHANNELS_MAX = 4096
"""Distinct meanings that values may claim before the cache starts anew; a device has some dozens."""
_OBJECT_MEANING = ValueMeaning()


@dataclass(slots=True)
class DeviceObject:
    """One object; `values` is its Attribute-Value-Map, `scans` the Scan-Handle-Attr-Val-Map of a scanner."""

    handle: int
    object_class: int
    attributes: dict[int, bytes]
    values: ValueMap | None
    scans: tuple[tuple[int, ValueMap], ...] | None


class DeviceModel:
    """Objects by handle. Built from a checked configuration, so its maps decode."""

    def __init__(self, configuration: Configuration, notes: Notes) -> None:
        self.configuration = configuration
        self.notes = notes
        self.version = 0
        self.objects: dict[int, DeviceObject] = {}
        self._channels: dict[tuple[int, ValueMeaning], Channel] = {}
        for item in configuration.objects:
            attributes = attributes_of(item.attributes)
            values = attributes.get(Attribute.ATTRIBUTE_VALUE_MAP)
            scans = attributes.get(Attribute.SCAN_HANDLE_ATTR_VAL_MAP)
            self.objects[item.obj_handle] = DeviceObject(
                item.obj_handle,
                item.obj_class,
                attributes,
                None if values is None else value_map(values),
                None if scans is None else scanner_map(scans),
            )

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channel of each metric object, in the order of the configuration."""
        return tuple(self.channel(item.handle) for item in self.objects.values() if item.object_class in METRICS)

    def channel(self, handle: int, meaning: ValueMeaning = _OBJECT_MEANING) -> Channel:
        """The channel of an existing object's values; the same object each time until it is reshaped."""
        key = (handle, meaning)
        channel = self._channels.get(key)
        if channel is None:
            if len(self._channels) >= CHANNELS_MAX:
                self._channels.clear()
            item = self.objects[handle]
            channel = channel_of(handle, item.object_class, item.attributes, meaning, self.notes)
            self._channels[key] = channel
        return channel

    def enum_partition(self, handle: int) -> int:
        """The partition of OID values of an enumeration."""
        return enum_partition(self.objects[handle].attributes)

    def values_of(self, handle: int, scanner_handle: int) -> ValueMap | None:
        """How an observation of `handle` in fixed form lies: as the reporting scanner maps it, else its own map."""
        scanner = self.objects.get(scanner_handle)
        if scanner is not None and scanner.scans is not None:
            for scanned, values in scanner.scans:
                if scanned == handle:
                    return values
        item = self.objects.get(handle)
        return None if item is None else item.values

    def reshape(self, handle: int, attributes: Mapping[int, bytes]) -> None:
        """Takes attribute values that a report sent for this object; those that shape nothing are not kept."""
        kept = self.objects[handle].attributes
        changed = {key: value for key, value in attributes.items() if key in SHAPING and kept.get(key) != value}
        if changed:
            kept.update(changed)
            self._channels.clear()
            self.version += 1
