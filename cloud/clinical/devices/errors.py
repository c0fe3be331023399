"""Errors about devices."""

from cloud.foundation.errors import DomainError


class DeviceUnknown(DomainError):
    """Device not found."""

    code = "device_unknown"
    status = 404


class DeviceClassUnknown(DomainError):
    """device_class is one of defib, ecg, oximeter, bp, glucose, etco2, thermometer, multiparameter."""

    code = "device_class_unknown"
    status = 400


class SystemIdTaken(DomainError):
    """Another enrolled device of the organisation has this system id. Retire it first."""

    code = "system_id_taken"
    status = 409


class DeviceNotActive(DomainError):
    """The device is retired. Enrol it again before you post observations."""

    code = "device_not_active"
    status = 409


class DeviceVehicleUnknown(DomainError):
    """The vehicle is not in this organisation."""

    code = "vehicle_unknown"
    status = 422


class DeviceTextMalformed(DomainError):
    """A serial number, manufacturer or system id has 1 to 128 printable characters."""

    code = "device_text_malformed"
    status = 422
