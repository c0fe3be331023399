"""Medical devices of an organisation: enrolled devices, and devices that were only seen on a vehicle."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import IdKind, Scope, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.devices.attachment import LAST_SEEN_GRAIN_US, DeviceKey, KnownDevice, Sighting, device_key
    from cloud.clinical.devices.bulk_enrolment import BulkEnrolment
    from cloud.clinical.devices.described_times import (
        DescribedTimes,
        ValidDescription,
        read_described_times,
        read_descriptions_near,
    )
    from cloud.clinical.devices.description import SelfDescription, read_fields, shown_description
    from cloud.clinical.devices.description_store import DescriptionStore, DeviceReport
    from cloud.clinical.devices.errors import (
        DeviceClassUnknown,
        DeviceNotActive,
        DeviceTextMalformed,
        DeviceUnknown,
        DeviceVehicleUnknown,
        SystemIdTaken,
    )
    from cloud.clinical.devices.model import Device, DeviceClass, DeviceStatus
    from cloud.clinical.devices.schemas import DeviceEnrolment
    from cloud.clinical.devices.service import DeviceFields, Enrolment
    from cloud.clinical.devices.settings import SilenceSection
    from cloud.clinical.devices.silence import DeviceSilence
    from cloud.clinical.devices.store import SHOWN, Devices
    from cloud.clinical.devices.tables import devices
    from cloud.clinical.devices.vehicle_events import (
        GAP_RECORDED,
        VEHICLE_EVENTS,
        EventSearch,
        VehicleEvent,
        VehicleEvents,
    )
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    data_schemas="schemas:DATA_SCHEMAS",
    ids={"device": IdKind("device", "devices", ("id", "system_id"))},
    events="event_types:EVENTS",
    scopes=(
        Scope("argus:devices:read", "List medical devices", "Przeglądanie urządzeń medycznych"),
        Scope(
            "argus:devices:write",
            "Enrol medical devices and post their observations",
            "Rejestrowanie urządzeń medycznych i przesyłanie ich pomiarów",
            "argus:devices:read",
        ),
    ),
    tags={"Devices": "IEEE 11073 medical devices and what they measure."},
    jobs="jobs:jobs",
    retention="jobs:KINDS",
    tables="tables",
    routes=("routes:routes",),
    settings={"silence": "settings:SilenceSection"},
    commands={"devices": "cli:devices"},
)
