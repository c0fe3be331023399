"""Description of a device by itself: the form in which it is stored, and the one in which it is shown.

The stored form has the fields of the event that reported it (`protocols.uplink.device_events`), so that a later release
reads the descriptions of this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from protocols.device_description import DeviceDescription
from protocols.ieee11073.dim.regulatory import CertifiedTransport
from protocols.ieee11073.dim.words import POWER_STATUS, TIME_CAPABILITIES, bit_names
from protocols.ieee11073.nomenclature import Code, name_of
from protocols.uplink.device_events import UNVERIFIED, description_fields, read_description
from protocols.uplink.events import EventField

PARTITION_PROFILES = 8


@dataclass(frozen=True, slots=True)
class SelfDescription:
    """A description of a device by itself. `unverified`: only the device's own claim identifies it, because it is
    connected over TCP and no operator has accepted it."""

    values: DeviceDescription
    unverified: bool = False

    def stored(self) -> str:
        """Return the stored form. Equal descriptions have equal forms."""
        fields = description_fields(self.values)
        if self.unverified:
            fields[UNVERIFIED] = True
        return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()


def read_fields(fields: Mapping[str, EventField]) -> SelfDescription:
    """Return the description in the fields of an event."""
    return SelfDescription(read_description(fields), unverified=fields.get(UNVERIFIED) is True)


def read_stored(text: str) -> SelfDescription:
    return read_fields(orjson.loads(text))


def shown_description(description: SelfDescription) -> dict[str, Any]:
    """Return the JSON fields of a description. A value that the device has not sent is null."""
    values = description.values
    return {
        "manufacturer": values.manufacturer or None,
        "model": values.model or None,
        "serial_number": values.serial_number or None,
        "part_number": values.part_number or None,
        "hardware_revision": values.hardware_revision or None,
        "software_revision": values.software_revision or None,
        "firmware_revision": values.firmware_revision or None,
        "protocol_revision": values.protocol_revision or None,
        "gmdn": values.gmdn or None,
        "profiles": [{"name": _profile(each.code), "version": each.version} for each in values.profiles],
        "certification": _certification(values),
        "clock": _clock(values),
        "unverified_link": description.unverified,
    }


def shown_power(status: int | None) -> list[str]:
    """Return the Power-Status of 20601 as words, such as `on battery`."""
    return [] if status is None else list(bit_names(status, POWER_STATUS))


def _certification(values: DeviceDescription) -> dict[str, Any] | None:
    if not values.certified_version and not values.certified and values.unregulated is None:
        return None
    return {
        "guidelines_version": values.certified_version or None,
        "profiles": [
            {"name": _profile(each.code), "transport": CertifiedTransport(each.transport).name.lower()}
            for each in values.certified
        ],
        "unregulated": values.unregulated,
    }


def _clock(values: DeviceDescription) -> dict[str, Any] | None:
    if values.clock_capabilities is None:
        return None
    protocol = values.clock_protocol
    return {
        "capabilities": list(bit_names(values.clock_capabilities, TIME_CAPABILITIES)),
        "synchronised_by": None if protocol is None else _profile(protocol),
        "accuracy_ms": None if values.clock_accuracy_us is None else values.clock_accuracy_us / 1000,
        "resolution_ms": None if values.clock_resolution_us is None else values.clock_resolution_us / 1000,
    }


def _profile(code: int) -> str:
    return name_of(Code(PARTITION_PROFILES, code))
