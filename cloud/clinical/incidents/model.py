"""What an incident is: one emergency as the dispatch system knows it, with the encounters that came of it."""

from dataclasses import dataclass
from enum import StrEnum

from cloud.foundation.viewer import SecrecyLevel


class IncidentStatus(StrEnum):
    """Open as long as one of its encounters is."""

    OPEN = "open"
    CLOSED = "closed"


class Change(StrEnum):
    """What happened to an incident."""

    OPENED = "opened"
    ENCOUNTER_ADDED = "encounter_added"
    ENCOUNTER_UPDATED = "encounter_updated"
    ENCOUNTER_FINISHED = "encounter_finished"
    REOPENED = "reopened"  # an encounter was added after all others had been finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident of one organisation. `encounters` counts all that it had, `open_encounters` those that go on."""

    tenant_id: str
    id: str
    organization_id: str
    cad_incident_id: str
    status: IncidentStatus
    secrecy_level: SecrecyLevel
    encounters: int
    open_encounters: int
    opened_at_us: int
    updated_at_us: int
    closed_at_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An encounter of an incident, as far as the incident is concerned."""

    tenant_id: str
    organization_id: str
    encounter_id: str
    cad_incident_id: str
    secrecy_level: SecrecyLevel
