"""Medical devices of an organisation: enrolled, or merely seen on a vehicle."""

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
    "DeviceNotActive",
    "DeviceSilence",
    "DeviceStatus",
    "DeviceUnknown",
    "DeviceVehicleUnknown",
    "Devices",
    "Enrolled",
    "Enrolment",
    "SystemIdTaken",
]
