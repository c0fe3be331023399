"""Medical devices of an organisation: enrolled, or merely seen on a vehicle."""

from cloud.clinical.devices.attachment import DeviceKey, KnownDevice, Sighting, device_key
from cloud.clinical.devices.errors import (
    DeviceClassUnknown,
    DeviceNotActive,
    DeviceUnknown,
    DeviceVehicleUnknown,
    SystemIdTaken,
)
from cloud.clinical.devices.model import Device, DeviceClass, DeviceStatus, Enrolled
from cloud.clinical.devices.service import Enrolment
from cloud.clinical.devices.silence import DeviceSilence
from cloud.clinical.devices.store import Devices

__all__ = [
    "Device",
    "DeviceClass",
    "DeviceClassUnknown",
    "DeviceKey",
    "DeviceNotActive",
    "DeviceSilence",
    "DeviceStatus",
    "DeviceUnknown",
    "DeviceVehicleUnknown",
    "Devices",
    "Enrolled",
    "Enrolment",
    "KnownDevice",
    "Sighting",
    "SystemIdTaken",
    "device_key",
]
