"""Bodies of the device routes. Fields of the contract's samples are required, added fields are optional."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud.clinical.devices.model import DeviceClass, DeviceStatus
from cloud.clinical.devices.service import TEXT_LENGTH_MAX
from cloud.foundation.http import DataSchema, Paged

Label = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]
IdText = Annotated[str, Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]


class DeviceQuery(Paged):
    """Filters of the device listing."""

    vehicle_id: Annotated[str | None, Field(max_length=64, description="Only devices of this vehicle.")] = None


class DeviceEnrolment(BaseModel):
    """A device to enrol, or to enrol again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    serial_number: Annotated[Label, Field(description="As printed on the device. Unique within the organisation.")]
    device_class: Annotated[DeviceClass, Field(description="What the device measures.")]
    manufacturer: Annotated[Label, Field(description="Manufacturer.")]
    system_id: Annotated[
        Label | None,
        Field(description="IEEE 11073 system id in hex. Attaches observations that vehicles sent from this device."),
    ] = None
    vehicle_id: Annotated[IdText | None, Field(description="The vehicle of the device.")] = None


class DevicePower(BaseModel):
    """The power supply of a device, as last reported."""

    model_config = ConfigDict(frozen=True)

    battery_percent: Annotated[int | None, Field(ge=0, le=100, description="Battery level.")] = None
    battery_remaining_minutes: Annotated[int | None, Field(ge=0, description="Remaining battery time.")] = None
    status: Annotated[
        list[str], Field(description="Power-Status of IEEE 11073-20601 in words, such as `on mains`.")
    ] = Field(default_factory=list)
    reported_at: Annotated[str, Field(description="Time of the report.")]


class DeviceProfile(BaseModel):
    """A device profile (specialization) that a device implements."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(description="MDC_DEV_SPEC_PROFILE_…, or partition:code if the code has no name.")]
    version: Annotated[int, Field(description="Version of the specialization.")]


class CertifiedProfile(BaseModel):
    """A device profile that is certified for a transport."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(description="MDC_DEV_SPEC_PROFILE_…, or partition:code if the code has no name.")]
    transport: Annotated[str, Field(description="`usb`, `hdp`, `zigbee`, `ble`, `nfc`, or a number.")]


class DeviceCertification(BaseModel):
    """The regulatory certification data that a device reports (Continua)."""

    model_config = ConfigDict(frozen=True)

    guidelines_version: Annotated[str | None, Field(description="Version of the design guidelines.")] = None
    profiles: Annotated[list[CertifiedProfile], Field(description="Certified device profiles.")]
    unregulated: Annotated[
        bool | None, Field(description="True if the device declares that it is no regulated medical device.")
    ] = None


class DeviceClock(BaseModel):
    """The clock of a device, as the device describes it."""

    model_config = ConfigDict(frozen=True)

    capabilities: Annotated[list[str], Field(description="Capabilities and state in words (mds-time-cap-state).")]
    synchronised_by: Annotated[
        str | None, Field(description="Code of the protocol that synchronises the clock, partition:code.")
    ] = None
    accuracy_ms: Annotated[float | None, Field(ge=0, description="Accuracy; null if unknown.")] = None
    resolution_ms: Annotated[float | None, Field(ge=0, description="Resolution; null if unknown.")] = None


class DeviceDescription(BaseModel):
    """Description of a device by itself. A value that the device has not reported is null."""

    model_config = ConfigDict(frozen=True)

    manufacturer: Annotated[str | None, Field(description="Manufacturer.")] = None
    model: Annotated[str | None, Field(description="Model.")] = None
    serial_number: Annotated[
        str | None, Field(description="Serial number as reported; the enrolled one may differ.")
    ] = None
    part_number: Annotated[str | None, Field(description="Part number.")] = None
    hardware_revision: Annotated[str | None, Field(description="Hardware revision.")] = None
    software_revision: Annotated[str | None, Field(description="Software revision.")] = None
    firmware_revision: Annotated[str | None, Field(description="Firmware revision.")] = None
    protocol_revision: Annotated[str | None, Field(description="Protocol revision.")] = None
    gmdn: Annotated[str | None, Field(description="Code of the Global Medical Device Nomenclature.")] = None
    profiles: Annotated[list[DeviceProfile], Field(description="Device profiles.")]
    certification: Annotated[DeviceCertification | None, Field(description="Certification data.")] = None
    clock: Annotated[DeviceClock | None, Field(description="Clock.")] = None
    unverified_link: Annotated[
        bool, Field(description="True if only the device's own claim identifies it (TCP, not accepted by an operator).")
    ]


class EnrolledDevice(BaseModel):
    """A device of the caller's organisation."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The device, dev_….")]
    serial_number: Annotated[str, Field(description="As printed on the device.")]
    device_class: Annotated[DeviceClass, Field(description="What the device measures.")]
    status: Annotated[
        Literal[DeviceStatus.ACTIVE, DeviceStatus.RETIRED],
        Field(description="`active`, or `retired`: the device accepts no observations."),
    ]
    manufacturer: Annotated[str | None, Field(description="Manufacturer.")] = None
    system_id: Annotated[str | None, Field(description="IEEE 11073 system id in hex; null until it is known.")] = None
    vehicle_id: Annotated[str | None, Field(description="The vehicle of the device.")] = None
    last_seen_at: Annotated[
        str | None, Field(description="Time of the last report of the device; null before the first.")
    ] = None
    battery_percent: Annotated[
        int | None, Field(ge=0, le=100, description="Last reported battery level; null before the first report.")
    ] = None
    power: Annotated[DevicePower | None, Field(description="Power supply; null before the first report.")] = None
    model: Annotated[str | None, Field(description="Model as the device reports it; null until it is known.")] = None
    described_at: Annotated[
        str | None, Field(description="Time since which the device describes itself as in `description`.")
    ] = None
    description: Annotated[
        DeviceDescription | None, Field(description="How the device describes itself; null until it does.")
    ] = None


DATA_SCHEMAS = (
    DataSchema(
        id="argus.device.v1",
        title="Device",
        model=EnrolledDevice,
        operations=("GET /api/v1/devices", "POST /api/v1/devices/enrol"),
    ),
)
