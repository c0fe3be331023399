"""Errors about devices."""

from cloud.foundation.errors import DomainError, PrivateError


class DeviceUnknown(DomainError, code="device_unknown", status=404):
    """Device not found."""


class DeviceClassUnknown(DomainError, code="device_class_unknown", status=400):
    """device_class is one of defib, ecg, oximeter, bp, glucose, etco2, thermometer, multiparameter."""


class SystemIdTaken(DomainError, code="system_id_taken", status=409):
    """Another enrolled device of the organisation has this system id. Retire it first."""


class DeviceNotActive(DomainError, code="device_not_active", status=409):
    """The device is retired. Enrol it again before you post observations."""


class DeviceVehicleUnknown(DomainError, code="vehicle_unknown", status=422):
    """The vehicle is not in this organisation."""


class DeviceTextMalformed(DomainError, code="device_text_malformed", status=422):
    """A serial number, manufacturer or system id has 1 to 128 printable characters."""


class DescriptionsTooMany(PrivateError, code="device_descriptions_too_many", status=422):
    """A device has described itself in more than 100,000 ways, which a device does not do. Export the other devices, or
    leave the descriptions out."""
