"""Events in which a gateway reports how a device describes itself, and its power supply.

They are sent in the lane of events like any other event, so an older cloud stores them without interpreting them, and
an older gateway sends none. A description is complete: a field that it lacks was not sent by the device. Each event
names the device by its system id. The cloud reads each field on its own; a field of another type or beyond its limit
counts as not sent, since the device decides what the gateway receives.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from protocols.device_description import (
    BATTERY_REMAINING_MIN_MAX,
    CERTIFIED_MAX,
    CLOCK_US_MAX,
    PERCENT_MAX,
    PROFILES_MAX,
    U16_MAX,
    CertifiedProfile,
    DeviceDescription,
    DevicePower,
    DeviceProfile,
    clean_text,
)
from protocols.uplink.events import EventField, GatewayEvent

DEVICE_DESCRIBED = "device.described"
"""Description of a device by itself: sent when it is new, or has changed."""
DEVICE_POWERED = "device.power_reported"
"""Power supply of a device: sent when it is new, or has changed."""
UNVERIFIED = "unverified"
"""Field of both events: True where only the device's own claim identifies it (`DeviceRef.unverified_link`)."""

_SYSTEM_ID = re.compile(r"[0-9a-f]{16}")
_PAIR = re.compile(r"[0-9]{1,5}:[0-9]{1,5}")
_TEXTS = tuple(one.name for one in fields(DeviceDescription) if one.type is str)
_PAIRS_LENGTH_MAX = 12 * max(PROFILES_MAX, CERTIFIED_MAX)
_INTEGERS = {
    "clock_capabilities": U16_MAX,
    "clock_protocol": U16_MAX,
    "clock_accuracy_us": CLOCK_US_MAX,
    "clock_resolution_us": CLOCK_US_MAX,
}


def description_fields(description: DeviceDescription) -> dict[str, EventField]:
    """Return a description as the fields of an event. Values that the device has not sent are left out."""
    written: dict[str, EventField] = {name: getattr(description, name) for name in (*_TEXTS, "unregulated", *_INTEGERS)}
    written["profiles"] = _text_of(description.profiles)
    written["certified"] = _text_of(description.certified)
    return {name: value for name, value in written.items() if value is not None and value != ""}


def read_description(sent: Mapping[str, EventField]) -> DeviceDescription:
    """Return the description in the fields of an event. Never raises."""
    unregulated = sent.get("unregulated")
    plain: dict[str, Any] = {name: clean_text(text) for name in _TEXTS if isinstance(text := sent.get(name), str)}
    plain |= {name: _integer(sent.get(name), most) for name, most in _INTEGERS.items()}
    return DeviceDescription(
        profiles=tuple(DeviceProfile(*each) for each in _pairs_in(sent.get("profiles"))[:PROFILES_MAX]),
        certified=tuple(CertifiedProfile(*each) for each in _pairs_in(sent.get("certified"))[:CERTIFIED_MAX]),
        unregulated=unregulated if isinstance(unregulated, bool) else None,
        **plain,
    )


def power_fields(power: DevicePower) -> dict[str, EventField]:
    """Return a power supply as the fields of an event. Values that the device has not sent are left out."""
    written = {one.name: getattr(power, one.name) for one in fields(DevicePower)}
    return {name: value for name, value in written.items() if value is not None}


def read_power(sent: Mapping[str, EventField]) -> DevicePower:
    """Return the power supply in the fields of an event. Never raises."""
    return DevicePower(
        battery_percent=_integer(sent.get("battery_percent"), PERCENT_MAX),
        status=_integer(sent.get("status"), U16_MAX),
        battery_remaining_min=_integer(sent.get("battery_remaining_min"), BATTERY_REMAINING_MIN_MAX),
    )


def described_device(event: GatewayEvent) -> str | None:
    """Return the system id of the device that an event of this module describes. None for other events, and for an
    event without a valid system id."""
    if event.name not in (DEVICE_DESCRIBED, DEVICE_POWERED) or event.device is None:
        return None
    return event.device if _SYSTEM_ID.fullmatch(event.device) else None


def _text_of(pairs: tuple[DeviceProfile, ...] | tuple[CertifiedProfile, ...]) -> str:
    return " ".join(f"{first}:{second}" for first, second in pairs)


def _pairs_in(text: EventField) -> list[tuple[int, int]]:
    if not isinstance(text, str) or not 0 < len(text) <= _PAIRS_LENGTH_MAX:
        return []
    written = text.split(" ")
    if not all(_PAIR.fullmatch(each) for each in written):
        return []
    pairs = [(int(first), int(second)) for first, second in (each.split(":") for each in written)]
    return [each for each in pairs if max(each) <= U16_MAX]


def _integer(value: EventField, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None
