"""Bodies of the device routes. Fields of the contract's samples are required, added fields are optional."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud.clinical.devices.model import DeviceClass, DeviceStatus
from cloud.clinical.devices.service import TEXT_LENGTH_MAX
from cloud.foundation.http import Paged

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
    last_seen_at: Annotated[str | None, Field(description="Time of the last observation; null before the first.")] = (
        None
    )
    battery_percent: Annotated[
        int | None, Field(ge=0, le=100, description="Last reported battery level; null before the first report.")
    ] = None
