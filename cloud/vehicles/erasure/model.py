"""Data classes of the erasure of an encounter."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from hmac import compare_digest

from cloud.vehicles.custody import ErasureSeals


class ErasureReason(StrEnum):
    """Reason of an erasure, as a code: a free text could identify the patient."""

    PATIENT_REQUEST = "patient_request"
    RECORDED_IN_ERROR = "recorded_in_error"
    COURT_ORDER = "court_order"
    END_OF_PURPOSE = "end_of_purpose"


class Phase(StrEnum):
    """Phase of an erasure. The phases follow each other in this order."""

    ROWS = "rows"
    """Values in single rows, with their signed batches."""
    MINUTES = "minutes"
    """Values in minute rows, with their signed batches."""
    CARE = "care"
    """Field changes of the care record, with their signed batches."""
    ENVELOPES = "envelopes"
    """Signed batches that have values of the encounter and no rows of them."""
    QUARANTINE = "quarantine"
    """Batches that were set aside."""
    REPLIES = "replies"
    """Stored replies to requests that posted observations."""
    WAVEFORMS = "waveforms"
    """Runs of packed waveforms. Last of the search, since the objects must have an age."""
    OBJECTS = "objects"
    """Packed objects are rewritten without the erased batches."""
    FORMER_OBJECTS = "former_objects"
    """The former objects are removed."""
    LOG = "log"
    """SQLite's log is emptied."""
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """Numbers of what was erased: observations, field changes, signed batches, batches that could not be read,
    quarantined batches, stored replies. `others` counts the values of others that stay although their signed batch was
    erased."""

    observations: int = 0
    changes: int = 0
    batches: int = 0
    others: int = 0
    unread: int = 0
    quarantined: int = 0
    replies: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(Amounts)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The erasure of an encounter, and its tombstone. `from_us` and `until_us` are the time of the encounter.
    `position` is where the phase continues, as a JSON list of numbers, and `step` counts the steps. `failure` is why
    the last step did not happen. `finished_at_us` is None until everything was erased; later rounds erase what arrived
    meanwhile."""

    erasure_id: str
    tenant_id: str
    encounter_id: str
    organization_id: str
    vehicle_id: str | None
    incident_id: str | None
    from_us: int
    until_us: int
    reason: ErasureReason
    requested_by: str
    requested_at_us: int
    progress_at_us: int
    seal: bytes = b""
    phase: Phase = Phase.ROWS
    position: str = "[]"
    step: int = 0
    failure: str | None = None
    finished_at_us: int | None = None
    observations: int = 0
    changes: int = 0
    batches: int = 0
    others: int = 0
    unread: int = 0
    quarantined: int = 0
    replies: int = 0

    def sealed(self, seals: ErasureSeals) -> "Erasure":
        return replace(self, seal=seals.of_erasure(*self.sealed_fields()))

    def is_proved_by(self, seals: ErasureSeals) -> bool:
        """Return whether this cloud recorded the erasure."""
        return compare_digest(self.seal, seals.of_erasure(*self.sealed_fields()))

    def sealed_fields(self) -> tuple[str, ...]:
        """Return the fields that the seal covers."""
        named = (self.erasure_id, self.tenant_id, self.encounter_id, self.organization_id, self.reason.value)
        times = (self.from_us, self.until_us, self.requested_at_us)
        return *named, self.vehicle_id or "", self.incident_id or "", self.requested_by, *map(str, times)


@dataclass(frozen=True, slots=True)
class Progress:
    """The result of a step: where the phase continues (None: it has ended), what was erased, and, if the phase must
    wait, for what."""

    position: list[int] | None
    amounts: Amounts = Amounts()
    waits_for: str | None = None
