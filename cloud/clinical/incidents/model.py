"""Data classes of incidents. An incident is one emergency in a dispatch system, with its encounters."""

from dataclasses import dataclass
from enum import StrEnum

from cloud.foundation.viewer import SecrecyLevel


class IncidentStatus(StrEnum):
    """The status of an incident. An incident is open as long as one of its encounters is open."""

    OPEN = "open"
    CLOSED = "closed"


class Change(StrEnum):
    """The kind of a change of an incident, as its events report it."""

    OPENED = "opened"
    ENCOUNTER_ADDED = "encounter_added"
    ENCOUNTER_UPDATED = "encounter_updated"
    ENCOUNTER_FINISHED = "encounter_finished"
    REOPENED = "reopened"  # an encounter was added after all others had been finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident of one organisation. `encounters` counts all its encounters, `open_encounters` the
    unfinished ones."""

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
    """The fields of an encounter that its incident needs."""

    tenant_id: str
    organization_id: str
    encounter_id: str
    cad_incident_id: str
    secrecy_level: SecrecyLevel
