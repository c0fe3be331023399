"""The bodies of the device routes. What the contract's samples show is required, what we add is optional."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud.clinical.devices.model import DeviceClass, DeviceStatus
from cloud.clinical.devices.service import TEXT_LENGTH_MAX
from cloud.foundation.http import Paged

Label = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]
IdText = Annotated[str, Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]


class DeviceQuery(Paged):
    """Filters of the listing."""

    vehicle_id: Annotated[str | None, Field(max_length=64, description="Only devices of this vehicle.")] = None


class DeviceEnrolment(BaseModel):
    """A device to be enrolled, or enrolled again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    serial_number: Annotated[Label, Field(description="As printed on the device; unique within the organisation.")]
    device_class: Annotated[DeviceClass, Field(description="What the device measures.")]
    manufacturer: Annotated[Label, Field(description="Who made it.")]
    system_id: Annotated[
        Label | None,
        Field(description="How the device names itself (its IEEE 11073 system id in hex); attaches what it measured."),
    ] = None
    vehicle_id: Annotated[IdText | None, Field(description="The vehicle that carries it.")] = None


class EnrolledDevice(BaseModel):
    """A device of the caller's organisation."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The device, dev_….")]
    serial_number: Annotated[str, Field(description="As printed on the device.")]
    device_class: Annotated[DeviceClass, Field(description="What the device measures.")]
    status: Annotated[
        Literal[DeviceStatus.ACTIVE, DeviceStatus.RETIRED],
        Field(description="`active`, or `retired` when it measures no more."),
    ]
    manufacturer: Annotated[str | None, Field(description="Who made it.")] = None
    system_id: Annotated[str | None, Field(description="How the device names itself; null until it is known.")] = None
    vehicle_id: Annotated[str | None, Field(description="The vehicle that carries it.")] = None
    last_seen_at: Annotated[str | None, Field(description="When it last measured; null until then.")] = None
    battery_percent: Annotated[
        int | None, Field(ge=0, le=100, description="What it last said of its battery; null until it did.")
    ] = None
