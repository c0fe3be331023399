"""Medical devices of an organisation: enrolled, or merely seen on a vehicle."""

from cloud.devices.attachment import DeviceKey, KnownDevice, Sighting, device_key
from cloud.devices.errors import (
    DeviceClassUnknown,
    DeviceNotActive,
    DeviceUnknown,
    DeviceVehicleUnknown,
    SystemIdTaken,
)
from cloud.devices.model import Device, DeviceClass, DeviceStatus, Enrolled
from cloud.devices.service import Enrolment
from cloud.devices.silence import DeviceSilence
from cloud.devices.store import Devices

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
