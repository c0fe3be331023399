"""What an encounter is, as far as assignments need it."""

from dataclasses import dataclass
from enum import StrEnum

from cloud.tenancy import SecrecyLevel


class CareModel(StrEnum):
    """The contract's care models (A-101)."""

    PREHOSPITAL_EMERGENCY = "prehospital_emergency"
    INTERFACILITY_TRANSFER = "interfacility_transfer"
    COMMUNITY_PARAMEDICINE = "community_paramedicine"
    EVENT_MEDICAL = "event_medical"


class EncounterStatus(StrEnum):
    """The contract's states (A-101)."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    TRANSFERRED = "transferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encounter:
    """One patient contact of one organisation. `vehicle_id` is None where no ambulance took part."""

    tenant_id: str
    id: str
    organization_id: str
    vehicle_id: str | None
    care_model: CareModel
    status: EncounterStatus
    secrecy_level: SecrecyLevel
    created_at_us: int
