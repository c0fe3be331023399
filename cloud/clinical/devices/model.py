"""Data classes of devices."""

from dataclasses import dataclass
from enum import StrEnum

from cloud.clinical.devices.description import SelfDescription, read_stored
from cloud.foundation.viewer import SecrecyLevel


class DeviceStatus(StrEnum):
    """Status of a device. Partners see `active` and `retired`; devices with another status are hidden from them."""

    UNENROLLED = "unenrolled"  # seen on a vehicle, not enrolled
    ACTIVE = "active"
    RETIRED = "retired"
    MERGED = "merged"  # was unenrolled, and is the device in `merged_into`


class DeviceClass(StrEnum):
    """The kind of a medical device."""

    DEFIB = "defib"
    ECG = "ecg"
    OXIMETER = "oximeter"
    BP = "bp"
    GLUCOSE = "glucose"
    ETCO2 = "etco2"
    THERMOMETER = "thermometer"
    MULTIPARAMETER = "multiparameter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of an organisation. `system_id` is None until a gateway or an enrolment reports it. `serial_number`,
    `device_class`, `manufacturer` and `enrolled_at_us` are None until the device is enrolled. `gateway_id` is from the
    last report, `vehicle_id` from the last report or enrolment. `battery_percent`, `power_status` (the Power-Status of
    20601) and `battery_remaining_min` were reported at `battery_at_us` (None: never). `description` is the stored form
    of `described`, which holds since `described_at_us`."""

    tenant_id: str
    id: str
    organization_id: str
    vehicle_id: str | None
    gateway_id: str | None
    system_id: str | None
    serial_number: str | None
    device_class: DeviceClass | None
    manufacturer: str | None
    model: str
    status: DeviceStatus
    merged_into: str | None
    secrecy_level: SecrecyLevel
    created_at_us: int
    enrolled_at_us: int | None
    last_seen_us: int | None
    battery_percent: int | None = None
    battery_at_us: int | None = None
    power_status: int | None = None
    battery_remaining_min: int | None = None
    description: str | None = None
    described_at_us: int | None = None

    @property
    def described(self) -> SelfDescription | None:
        """The current description of the device by itself; None where no gateway has reported any."""
        return None if self.description is None else read_stored(self.description)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The result of an enrolment. `created`: no such device was known. `absorbed`: the id of an unenrolled device that
    was merged into this one. `again`: the serial number had been enrolled before. If the device had only been seen on a
    vehicle before, `created` and `again` are both False."""

    device: Device
    created: bool
    absorbed: str | None = None
    again: bool = False
