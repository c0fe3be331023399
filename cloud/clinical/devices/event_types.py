"""Events of devices. Keyed by device."""

from cloud.clinical.devices.model import DeviceClass
from cloud.foundation.events import EventType, moment, text, truth, word

DEVICE_ENROLLED = "device.enrolled"
DEVICE_RETIRED = "device.retired"
DEVICE_OFFLINE = "device.offline"

SCOPE = "argus:devices:read"

_DEVICE = text("The device, dev_….")
_VEHICLE = text("The vehicle of the device, if known.", absent=True)

EVENTS = (
    EventType(
        name=DEVICE_ENROLLED,
        description="A device was enrolled, or enrolled again.",
        fields={
            "device_id": _DEVICE,
            "device_class": word("Class of the device.", list(DeviceClass)),
            "vehicle_id": _VEHICLE,
            "created": truth("True for a new device; false if it was enrolled or seen on a vehicle before."),
        },
        sample={
            "device_id": "dev_1",
            "device_class": DeviceClass.DEFIB.value,
            "vehicle_id": "AMB-42",
            "created": True,
        },
        scope=SCOPE,
        internal=frozenset({"absorbed"}),  # the id of a device that partners never saw
    ),
    EventType(
        name=DEVICE_RETIRED,
        description="Device retired; its data is kept.",
        fields={"device_id": _DEVICE},
        sample={"device_id": "dev_1"},
        scope=SCOPE,
    ),
    EventType(
        name=DEVICE_OFFLINE,
        description="An enrolled device has sent no data for 15 minutes. Sent once until it sends data again. A device "
        "that is switched off, or whose vehicle has no network, is reported too.",
        fields={
            "device_id": _DEVICE,
            "vehicle_id": _VEHICLE,
            "last_seen_at": moment("Time of its last observation in the cloud."),
        },
        sample={"device_id": "dev_1", "vehicle_id": "AMB-42", "last_seen_at": "2026-03-23T11:45:00.000000Z"},
        scope=SCOPE,
    ),
)
