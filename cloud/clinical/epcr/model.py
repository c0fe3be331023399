"""Data classes of encounters, their dispatch and their crew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cloud.foundation.viewer import SecrecyLevel
from protocols.epcr.crew_role import CrewRole
from protocols.epcr.encounter import EncounterStatus


class CareModel(StrEnum):
    """The kind of care in an encounter."""

    PREHOSPITAL_EMERGENCY = "prehospital_emergency"
    INTERFACILITY_TRANSFER = "interfacility_transfer"
    COMMUNITY_PARAMEDICINE = "community_paramedicine"
    EVENT_MEDICAL = "event_medical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encounter:
    """One patient contact of one organisation. `vehicle_id` is None when no ambulance took part. `cad_incident_id` is
    the dispatch system's id of the incident, None when the encounter was not dispatched. `version` counts the changes
    of mission and status. `ended_at_us` is None until it ends, and for encounters that ended in earlier releases."""

    tenant_id: str
    id: str
    organization_id: str
    vehicle_id: str | None
    care_model: CareModel
    status: EncounterStatus
    secrecy_level: SecrecyLevel
    created_at_us: int
    cad_incident_id: str | None = None
    version: int = 1
    ended_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class MissionChange:
    """Fields of a mission to change; None keeps the present value. `status` is the status after the change. `call` has
    the call data to change, by element of the care record."""

    status: EncounterStatus | None = None
    ended_at_us: int | None = None
    vehicle_id: str | None = None
    care_model: CareModel | None = None
    crew_ids: Sequence[str] | None = None
    call: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Mission:
    """The mission of an encounter. `vehicle_status` is the end that the vehicle's record states, None without one."""

    encounter: Encounter
    crew_count: int
    vehicle_status: EncounterStatus | None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A dispatch system's request for an encounter; `cad_incident_id` is that system's id of the incident. `call` is
    what it knows of the call, by element of the care record."""

    organization_id: str
    care_model: CareModel
    vehicle_id: str | None = None
    crew_ids: Sequence[str] = ()
    cad_incident_id: str | None = None
    call: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Begun:
    """The result of a dispatch. `created` is False when the same incident and vehicle were sent before."""

    encounter: Encounter
    created: bool


@dataclass(frozen=True, slots=True)
class EncounterSummary:
    """An encounter as partners see it, without patient data (contract A-098). `observation_count` stops at a limit."""

    encounter: Encounter
    crew_count: int
    observation_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedInterval:
    """The observations of a device from `from_us` until before `until_us` (None: no end yet) were moved from one
    encounter to another. `assignment_id` is the assignment to the new encounter."""

    assignment_id: str
    device_id: str
    from_us: int
    until_us: int | None
    from_encounter_id: str
    to_encounter_id: str
    moved_by: str
    moved_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewMember:
    """An entry of an organisation's crew register: an id and a role, no name."""

    tenant_id: str
    id: str
    organization_id: str
    role: CrewRole
    created_at_us: int
