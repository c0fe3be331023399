"""A device's configuration: its objects and their meaning, as agent and manager agreed on them.

It is stored as the encoded ConfigObjectList, so that a configuration agreed years ago with an earlier version of this
code is read as the device sent it.
"""

from dataclasses import dataclass

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import AttrValMapEntry, AvaType, HandleAttrValMapEntry
from protocols.ieee11073.apdu.data import ConfigObject, ConfigReport
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.mder import decode_list, encode_list

CONFIG_ID_STANDARD_MAX = 0x3FFF
CONFIG_ID_EXTENDED_MAX = 0x7FFF

OBJECTS_MAX = 1024
"""Limit of objects, more than any device has; a report of 64 KiB could name eight times as many empty ones."""


def is_standard(config_id: int) -> bool:
    """Return whether the id is in the range of standard configurations; manufacturers use the ids above it."""
    return 0 < config_id <= CONFIG_ID_STANDARD_MAX


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration: its id and its objects, in the order of the configuration report."""

    config_id: int
    objects: tuple[ConfigObject, ...]

    @property
    def encoded(self) -> bytes:
        """The encoded ConfigObjectList."""
        return encode_list(self.objects)

    @property
    def report(self) -> ConfigReport:
        """Event-info of the configuration report that an agent sends."""
        return ConfigReport(self.config_id, self.objects)

    @classmethod
    def decode(cls, config_id: int, data: bytes) -> "Configuration":
        """Decode an encoded ConfigObjectList and check it. Raises `RemoteProtocolError`."""
        return cls(config_id, decode_list(ConfigObject, data)).checked()

    def checked(self) -> "Configuration":
        """Return this configuration if it is valid. Raises `RemoteProtocolError` where a handle occurs twice or is 0
        (the MDS), where there are more than `OBJECTS_MAX` objects, or where a value map cannot be decoded."""
        handles = {item.obj_handle for item in self.objects}
        if len(handles) != len(self.objects) or 0 in handles:
            raise RemoteProtocolError("a configuration names a handle twice or describes the MDS", clause="20601 §5")
        if len(self.objects) > OBJECTS_MAX:
            raise RemoteProtocolError(f"a configuration has more than {OBJECTS_MAX} objects", clause="20601 §5")
        for item in self.objects:
            attributes = attributes_of(item.attributes)
            if Attribute.ATTRIBUTE_VALUE_MAP in attributes:
                value_map(attributes[Attribute.ATTRIBUTE_VALUE_MAP])
            if Attribute.SCAN_HANDLE_ATTR_VAL_MAP in attributes:
                scanner_map(attributes[Attribute.SCAN_HANDLE_ATTR_VAL_MAP])
        return self


ValueMap = tuple[tuple[int, int], ...]
"""(attribute-id, bytes) in the order of an observation in fixed form."""


def attributes_of(attributes: tuple[AvaType, ...]) -> dict[int, bytes]:
    """Return an attribute list as a dictionary from attribute id to encoded value. Of two entries with one id the later
    counts, as in a Set."""
    return {ava.attribute_id: ava.attribute_value for ava in attributes}


def value_map(data: bytes) -> ValueMap:
    """Decode an Attribute-Value-Map. Raises `RemoteProtocolError`."""
    return tuple((entry.attribute_id, entry.attribute_len) for entry in decode_list(AttrValMapEntry, data))


def scanner_map(data: bytes) -> tuple[tuple[int, ValueMap], ...]:
    """Decode a Scan-Handle-Attr-Val-Map into handles and value maps, in order. Raises `RemoteProtocolError`."""
    return tuple(
        (entry.obj_handle, tuple((item.attribute_id, item.attribute_len) for item in entry.attr_val_map))
        for entry in decode_list(HandleAttrValMapEntry, data)
    )
