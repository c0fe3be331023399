"""Services that make a Bluetooth device worth pairing, and the names of services."""

from collections.abc import Iterable
from typing import Final

from protocols.ble import uuids
from protocols.ble.services import PROFILES

SUPPORTING: Final = frozenset(
    {uuids.DEVICE_INFORMATION, uuids.BATTERY, uuids.CURRENT_TIME, uuids.DEVICE_TIME, uuids.ELAPSED_TIME}
)
"""Auxiliary services. Nearly every device has some of these, a watch or a pair of headphones too."""

_NAMED_MAX = 16
_OTHERS: Final = {0x1800: "Generic Access", 0x1801: "Generic Attribute", 0x1812: "Human Interface Device"}


def find_measuring(services: Iterable[int]) -> tuple[int, ...]:
    """Return the supported services that measure."""
    return tuple(each for each in services if each in PROFILES and each not in SUPPORTING)


def find_supported(services: Iterable[int]) -> tuple[int, ...]:
    """Return the supported services, auxiliary included."""
    return tuple(each for each in services if each in PROFILES or each in SUPPORTING)


def service_words(services: Iterable[int]) -> str:
    """Return the services by name where there is one: `Pulse Oximeter, Battery, 0x1234`."""
    listed = list(services)
    names = [PROFILES[each].name if each in PROFILES else _OTHERS.get(each, f"0x{each:04X}") for each in listed]
    more = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
