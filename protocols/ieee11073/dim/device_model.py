"""The manager's model of one associated device: its objects with their current attributes.

At first the model is the agreed configuration. A report in variable form may change an attribute that later values
depend on, such as a unit. A `Reshaping` applies such changes while the report is read, and reverts them if the report
is malformed. A compiled report plan is valid only while the model is unchanged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from protocols.ieee11073.dim.attribute import SHAPING, Attribute
from protocols.ieee11073.dim.channels import METRICS, ValueMeaning, channel_of, enum_partition, shared_channel
from protocols.ieee11073.dim.configuration import Configuration, ValueMap, attributes_of, scanner_map, value_map
from protocols.ieee11073.dim.notes import Notes
from protocols.observation import Channel

MDS_HANDLE = 0
CHANNELS_MAX = 4096
"""Limit of distinct meanings of values before the cache is cleared; a device has a few dozen."""
_OBJECT_MEANING = ValueMeaning()


@dataclass(slots=True)
class DeviceObject:
    """One object: `values` is its Attribute-Value-Map, `scans` a scanner's Scan-Handle-Attr-Val-Map, if any."""

    handle: int
    object_class: int
    attributes: dict[int, bytes]
    values: ValueMap | None
    scans: tuple[tuple[int, ValueMap], ...] | None


class DeviceModel:
    """The objects of a device; `objects` maps handles to them. The model is built from a checked configuration, so all
    maps can be decoded."""

    def __init__(self, configuration: Configuration, notes: Notes) -> None:
        self.configuration = configuration
        self.notes = notes
        self.objects: dict[int, DeviceObject] = {}
        self.mds_values: ValueMap | None = None
        """The Attribute-Value-Map of the MDS, which only a Get returns. None: it reports nothing in fixed form."""
        self._channels: dict[tuple[int, ValueMeaning, int | None], Channel] = {}
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

    def channel(self, handle: int, meaning: ValueMeaning = _OBJECT_MEANING, person: int | None = None) -> Channel:
        """Return the channel of an object's values: the same `Channel` each time, unless attributes have changed.
        `meaning` has the metric and unit that the value itself specifies. `person` None: the device names no person."""
        key = (handle, meaning, person)
        channel = self._channels.get(key)
        if channel is None:
            if person is None:
                item = self.objects[handle]
                channel = channel_of(handle, item.object_class, item.attributes, meaning, self.notes)
            else:
                channel = shared_channel(replace(self.channel(handle, meaning), person=person))
            if len(self._channels) >= CHANNELS_MAX:
                self._channels.clear()
            self._channels[key] = channel
        return channel

    def enum_partition(self, handle: int) -> int:
        return enum_partition(self.objects[handle].attributes)

    def values_of(self, handle: int, scanner_handle: int) -> ValueMap | None:
        """Return the Attribute-Value-Map for fixed-format values of the object `handle`: the map in the scanner
        `scanner_handle`, else the object's own map. Return None if neither exists."""
        scanner = self.objects.get(scanner_handle)
        if scanner is not None and scanner.scans is not None:
            for scanned, values in scanner.scans:
                if scanned == handle:
                    return values
        if handle == MDS_HANDLE:
            return self.mds_values
        item = self.objects.get(handle)
        return None if item is None else item.values

    def forget_channels(self) -> None:
        """Drop the cached channels, because attributes have changed."""
        self._channels.clear()


class Reshaping:
    """Changes of attributes by one report, which can be reverted."""

    def __init__(self, model: DeviceModel) -> None:
        self._model = model
        self._before: dict[tuple[int, int], bytes | None] = {}

    def take(self, handle: int, attributes: Mapping[int, bytes]) -> None:
        """Apply the attributes that the report sent for an object. Only attributes that values depend on (`SHAPING`,
        such as a unit) are applied."""
        kept = self._model.objects[handle].attributes
        changed = {key: value for key, value in attributes.items() if key in SHAPING and kept.get(key) != value}
        if changed:
            for key in changed:
                self._before.setdefault((handle, key), kept.get(key))
            kept.update(changed)
            self._model.forget_channels()

    @property
    def lasting(self) -> bool:
        """True if the applied changes leave an attribute different from its value before the report."""
        return any(
            self._model.objects[handle].attributes.get(key) != old for (handle, key), old in self._before.items()
        )

    def take_back(self) -> None:
        """Revert all attribute changes that the report caused."""
        for (handle, key), old in self._before.items():
            attributes = self._model.objects[handle].attributes
            if old is None:
                attributes.pop(key, None)
            else:
                attributes[key] = old
        self._before.clear()
        self._model.forget_channels()
