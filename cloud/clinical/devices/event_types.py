"""The events that tell of devices. Keyed by device."""

from cloud.clinical.devices.model import DeviceClass
from cloud.foundation.events import EventType
from cloud.foundation.events.event_type import moment, text, truth, word

DEVICE_ENROLLED = "device.enrolled"
DEVICE_RETIRED = "device.retired"
DEVICE_OFFLINE = "device.offline"

SCOPE = "argus:devices:read"

_DEVICE = text("The device, dev_….")
_VEHICLE = text("The vehicle that it belongs to, as far as that is known.", absent=True)

EVENTS = (
    EventType(
        name=DEVICE_ENROLLED,
        description="A device was enrolled, or enrolled again.",
        fields={
            "device_id": _DEVICE,
            "device_class": word("What it measures.", list(DeviceClass)),
            "vehicle_id": _VEHICLE,
            "created": truth("Whether nobody knew it before; false when it was enrolled again, or seen on a vehicle."),
        },
        sample={
            "device_id": "dev_1",
            "device_class": DeviceClass.DEFIB.value,
            "vehicle_id": "AMB-42",
            "created": True,
        },
        scope=SCOPE,
        untold=frozenset({"absorbed"}),  # an id that partners never saw
    ),
    EventType(
        name=DEVICE_RETIRED,
        description="A device measures no more; what it measured stays.",
        fields={"device_id": _DEVICE},
        sample={"device_id": "dev_1"},
        scope=SCOPE,
    ),
    EventType(
        name=DEVICE_OFFLINE,
        description="Nothing was heard of an enrolled device for a while. Told once until it is heard of again. A "
        "device that was switched off is silent too, and so is one whose vehicle is out of reach.",
        fields={
            "device_id": _DEVICE,
            "vehicle_id": _VEHICLE,
            "last_seen_at": moment("When it measured last, as far as the cloud knows."),
        },
        sample={"device_id": "dev_1", "vehicle_id": "AMB-42", "last_seen_at": "2026-03-23T11:45:00.000000Z"},
        scope=SCOPE,
    ),
)
