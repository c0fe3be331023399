"""Query and body of the list of encounters."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cloud.clinical.epcr.model import CareModel
from cloud.foundation.http import MomentText, Paged
from protocols.epcr.encounter import EncounterStatus


class EncounterQuery(Paged):
    """Filters of the list of encounters."""

    vehicle_id: Annotated[
        str | None, Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$", description="Filter by vehicle.")
    ] = None
    cad_incident_id: Annotated[
        str | None, Field(min_length=1, max_length=128, description="Filter by the dispatch system's incident id.")
    ] = None
    status: Annotated[EncounterStatus | None, Field(description="Filter by status.")] = None
    since: Annotated[MomentText | None, Field(description="Created at this time or later.")] = None


class ListedEncounter(BaseModel):
    """An encounter in a list: mission data only, no patient data."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The encounter, enc_….")]
    organization_id: Annotated[str, Field(description="The organisation of the encounter.")]
    care_model: Annotated[CareModel, Field(description="Care model of the mission.")]
    status: Annotated[EncounterStatus, Field(description="Status of the encounter.")]
    vehicle_id: Annotated[str | None, Field(description="The assigned vehicle.")] = None
    created_at: Annotated[str | None, Field(description="Creation time, UTC.")] = None
