"""The bodies of the encounter routes. The summary is an allow-list: no other field leaves (A-098)."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cloud.clinical.epcr.model import CareModel, EncounterStatus
from cloud.clinical.epcr.service import CAD_INCIDENT_LENGTH_MAX, CREW_MAX

IdText = Annotated[str, Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]


class EncounterToBegin(BaseModel):
    """An encounter as a dispatch system begins it. The organisation is that of the token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    care_model: Annotated[CareModel, Field(description="Kind of mission.")]
    vehicle_id: Annotated[IdText | None, Field(description="The vehicle that goes.")] = None
    crew_ids: Annotated[
        tuple[IdText, ...], Field(max_length=CREW_MAX, description="Who goes; each is in the organisation's register.")
    ] = ()
    cad_incident_id: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=CAD_INCIDENT_LENGTH_MAX,
            description="The dispatch system's id of the incident. The same incident and vehicle is one encounter.",
        ),
    ] = None


class EncounterBegun(BaseModel):
    """The encounter that was begun, or that was there."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The encounter, enc_….")]
    status: Annotated[EncounterStatus, Field(description="Where it stands.")]


class EncounterPartnerSummary(BaseModel):
    """What partners may know of an encounter: facts about the mission, nothing about the patient."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The encounter, enc_….")]
    organization_id: Annotated[str, Field(description="Whose encounter it is.")]
    care_model: Annotated[CareModel, Field(description="Kind of mission.")]
    status: Annotated[EncounterStatus, Field(description="Where it stands.")]
    vehicle_id: Annotated[str | None, Field(description="The vehicle that went.")] = None
    crew_count: Annotated[int, Field(ge=0, description="How many went.")] = 0
    observation_count: Annotated[
        int, Field(ge=0, description="How many observations it has; 10000 means that many or more.")
    ] = 0
    created_at: Annotated[str | None, Field(description="When it was begun, UTC.")] = None
