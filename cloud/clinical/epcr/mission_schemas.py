"""Bodies of the mission routes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cloud.clinical.epcr.call_data import CallData
from cloud.clinical.epcr.model import CareModel
from cloud.clinical.epcr.schemas import IdText
from cloud.clinical.epcr.service import CREW_MAX
from protocols.epcr.encounter import EncounterStatus


class MissionPatch(BaseModel):
    """Fields to change. Omitted fields are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[
        EncounterStatus | None,
        Field(description="Status after the change. `completed`, `cancelled` and `transferred` end the encounter."),
    ] = None
    ended_at: Annotated[
        str | None,
        Field(
            max_length=64,
            description="End of the encounter (RFC 3339, with Z or an offset), together with a status that ends it: at "
            "most 30 days ago and at most 5 minutes ahead. Default: now.",
            json_schema_extra={"format": "date-time"},
        ),
    ] = None
    vehicle_id: Annotated[IdText | None, Field(description="The assigned vehicle.")] = None
    care_model: Annotated[CareModel | None, Field(description="Care model of the mission.")] = None
    crew_ids: Annotated[
        tuple[IdText, ...] | None,
        Field(max_length=CREW_MAX, description="The whole crew; each id is in the organisation's crew register."),
    ] = None
    call: Annotated[
        CallData | None, Field(description="Call data to change, for the vehicle. Omitted fields are kept.")
    ] = None

    @field_validator("*", mode="before")
    @classmethod
    def _not_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("omit it to keep it")
        return value


class MissionShown(BaseModel):
    """The mission of an encounter."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The encounter, enc_….")]
    version: Annotated[int, Field(ge=1, description="Number of changes of the mission, plus one.")]
    status: Annotated[EncounterStatus, Field(description="Status of the encounter.")]
    vehicle_status: Annotated[
        EncounterStatus | None,
        Field(description="End that the vehicle's record states; null without one. It does not change the status."),
    ]
    ended_at: Annotated[str | None, Field(description="End of the encounter, UTC; null until it ends.")]
    vehicle_id: Annotated[str | None, Field(description="The assigned vehicle.")]
    care_model: Annotated[CareModel, Field(description="Care model of the mission.")]
    crew_count: Annotated[int, Field(ge=0, description="Number of crew members.")]
    created_at: Annotated[str, Field(description="Creation time, UTC.")]
