"""Bodies of the encounter routes. The summary is an allow-list of public fields (A-098)."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cloud.clinical.epcr.call_data import CallData
from cloud.clinical.epcr.model import CareModel
from cloud.clinical.epcr.service import CAD_INCIDENT_LENGTH_MAX, CREW_MAX
from cloud.foundation.http import DataSchema, Query
from protocols.epcr.encounter import EncounterStatus

IdText = Annotated[str, Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]


class EncounterToBegin(BaseModel):
    """An encounter to create. The organisation is that of the token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    care_model: Annotated[CareModel, Field(description="Care model of the mission.")]
    vehicle_id: Annotated[IdText | None, Field(description="The assigned vehicle.")] = None
    crew_ids: Annotated[
        tuple[IdText, ...],
        Field(max_length=CREW_MAX, description="The crew; each id is in the organisation's crew register."),
    ] = ()
    cad_incident_id: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=CAD_INCIDENT_LENGTH_MAX,
            description="The dispatch system's id of the incident. One incident and vehicle have one encounter.",
        ),
    ] = None
    call: Annotated[
        CallData | None, Field(description="The call as the dispatch system describes it to the vehicle.")
    ] = None


class EncounterFormat(StrEnum):
    """The form of an encounter."""

    JSON = "json"
    FHIR = "fhir"


class SummaryQuery(Query):
    """The query of an encounter."""

    format: Annotated[
        EncounterFormat | None,
        Field(description="`json`: the summary. `fhir`: the FHIR R4 bundle. Default: as Accept prefers, else `json`."),
    ] = None


class EncounterBegun(BaseModel):
    """The new or the existing encounter."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The encounter, enc_….")]
    status: Annotated[EncounterStatus, Field(description="Status of the encounter.")]


class EncounterPartnerSummary(BaseModel):
    """The encounter summary for partners: mission data only, no patient data."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The encounter, enc_….")]
    organization_id: Annotated[str, Field(description="The organisation of the encounter.")]
    care_model: Annotated[CareModel, Field(description="Care model of the mission.")]
    status: Annotated[EncounterStatus, Field(description="Status of the encounter.")]
    vehicle_id: Annotated[str | None, Field(description="The assigned vehicle.")] = None
    crew_count: Annotated[int, Field(ge=0, description="Number of crew members.")] = 0
    observation_count: Annotated[
        int,
        Field(
            ge=0,
            description="Number of observations, counted up to 10000, at most once a second. Waveforms are counted "
            "within two minutes.",
        ),
    ] = 0
    created_at: Annotated[str | None, Field(description="Creation time, UTC.")] = None
    evidence_id: Annotated[
        str | None, Field(description="The evidence of the encounter, evd_…, whose provenance can be fetched.")
    ] = None


DATA_SCHEMAS = (
    DataSchema(
        id="argus.encounter-summary.v1",
        title="Encounter summary",
        model=EncounterPartnerSummary,
        operations=("GET /api/v1/epcr/encounters/{encounterId}",),
    ),
)
