"""Description of a device by itself: maker, model, serial number, revisions, certification and clock, and its power.

The gateway makes these values from the attributes of a device (`ieee11073.dim.description`) and sends them in the lane
of events (`uplink.device_events`). The cloud stores and shows them. A device decides what it sends, so a text counts
only in the form of `clean_text`, and lists have limits. A description never changes the time of a measurement.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

TEXT_LENGTH_MAX: Final = 128
"""Characters of a text: as many as an enrolment takes. Names and revisions of known devices have at most 40."""
PROFILES_MAX: Final = 16
"""Device profiles of one device. A patient monitor has about six."""
CERTIFIED_MAX: Final = 16
"""Certified profiles of one device: each of its profiles on each of its transports."""
BATTERY_REMAINING_MIN_MAX: Final = 100_000
"""Remaining battery time in minutes, about 70 days. A longer time is no useful value."""
PERCENT_MAX: Final = 100
U16_MAX: Final = 0xFFFF
CLOCK_US_MAX: Final = 0xFFFFFFFF * 125
"""Accuracy of a clock in µs: the longest relative time of 20601."""


class DeviceProfile(NamedTuple):
    """Device profile (a code of partition 8) that a device implements, and its version."""

    code: int
    version: int


class CertifiedProfile(NamedTuple):
    """Device profile (a code of partition 8) that is certified for a transport (`CertifiedTransport`)."""

    transport: int
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDescription:
    """Attributes that describe a device. A text is empty, and another value None, where the device has not sent it.

    `serial_number` is as reported, and may differ from the one under which the device is enrolled. `gmdn` is a code of
    the Global Medical Device Nomenclature. `certified_version` is the version of the Continua guidelines, such as
    "6.0". `unregulated`: whether the device declares that it is no regulated medical device. `clock_capabilities` is
    mds-time-cap-state, and `clock_protocol` the code (partition 8) of the protocol that synchronises the device's
    clock.
    """

    manufacturer: str = ""
    model: str = ""
    serial_number: str = ""
    part_number: str = ""
    hardware_revision: str = ""
    software_revision: str = ""
    firmware_revision: str = ""
    protocol_revision: str = ""
    gmdn: str = ""
    profiles: tuple[DeviceProfile, ...] = ()
    certified_version: str = ""
    certified: tuple[CertifiedProfile, ...] = ()
    unregulated: bool | None = None
    clock_capabilities: int | None = None
    clock_protocol: int | None = None
    clock_accuracy_us: int | None = None
    clock_resolution_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePower:
    """Power supply of a device. `status` is Power-Status, BITS-16 as sent. None: the device has not sent it."""

    battery_percent: int | None = None
    status: int | None = None
    battery_remaining_min: int | None = None


NO_DESCRIPTION: Final = DeviceDescription()
NO_POWER: Final = DevicePower()


def clean_text(text: str) -> str:
    """Return a text of a device without surrounding spaces, cut to `TEXT_LENGTH_MAX` characters. Characters that are
    not printable could change how a reader sees the text, and become replacement characters."""
    near = text[: 2 * TEXT_LENGTH_MAX].strip("\0 ")[:TEXT_LENGTH_MAX]
    return "".join(each if each.isprintable() else "\ufffd" for each in near).strip()
