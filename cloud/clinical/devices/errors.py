"""What can be refused about devices."""

from cloud.access.tenancy import VehicleUnknown
from cloud.foundation.errors import DomainError


class DeviceUnknown(DomainError):
    """There is no such device."""

    code = "device_unknown"
    status = 404


class DeviceClassUnknown(DomainError):
    """A device is one of: defib, ecg, oximeter, bp, glucose, etco2, thermometer, multiparameter."""

    code = "device_class_unknown"
    status = 400


class SystemIdTaken(DomainError):
    """Another enrolled device of this organisation has this system id; retire it first."""

    code = "system_id_taken"
    status = 409


class DeviceNotActive(DomainError):
    """This device was retired; enrol it again before it measures."""

    code = "device_not_active"
    status = 409


class DeviceVehicleUnknown(VehicleUnknown):
    """vehicle_id names no vehicle of this organisation."""

    status = 422  # it stands in the body: the address itself exists


class DeviceTextMalformed(DomainError):
    """A serial number, manufacturer or system id has 1 to 128 printable characters."""

    code = "device_text_malformed"
    status = 422
