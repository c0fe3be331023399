"""Medical devices of an organisation: enrolled, or merely seen on a vehicle."""

from cloud.devices.errors import DeviceClassUnknown, DeviceUnknown, SystemIdTaken
from cloud.devices.model import Device, DeviceClass, DeviceStatus, Enrolled
from cloud.devices.service import Enrolment
from cloud.devices.store import Devices

__all__ = [
    "Device",
    "DeviceClass",
    "DeviceClassUnknown",
    "DeviceStatus",
    "DeviceUnknown",
    "Devices",
    "Enrolled",
    "Enrolment",
    "SystemIdTaken",
]
