"""The payload of an export, and its resumable state."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticKnownError

from cloud.clinical.epcr import Encounter, EncounterFilter
from cloud.clinical.nemsis import REGISTRY
from cloud.clinical.observations import Place
from cloud.foundation.http import MomentText
from cloud.foundation.moments import read_moment
from cloud.foundation.objects import StoredObject
from cloud.work.jobs import SCOPES

IdText = Annotated[str, Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
CODES_MAX = 100
"""Codes that an export selects: a vehicle measures some hundred channels."""


class ExportData(StrEnum):
    """The data to export."""

    ENCOUNTERS = "encounters"
    OBSERVATIONS = "observations"
    WAVEFORMS = "waveforms"


class ExportFormat(StrEnum):
    """The format of the file."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    FHIR_NDJSON = "fhir_ndjson"
    NEMSIS = "nemsis"


PUBLIC_FORMATS = tuple(each for each in ExportFormat if each is not ExportFormat.NEMSIS)
"""The formats that every caller may know. Reports have the identity of the patient and need a scope outside of the
public catalogue; for other callers, as with the route of one report, there is no such format."""


class ExportPayload(BaseModel):
    """The data to export, the format, and the encounters: those created from `since` until before `until`, of one
    vehicle or of all. `device_id` and `mdc_codes` limit observations and waveforms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Annotated[ExportData, Field(description="The data to export.")]
    format: Annotated[ExportFormat, Field(description="The format of the file.")]
    since: Annotated[MomentText | None, Field(description="Encounters created at this time or later.")] = None
    until: Annotated[MomentText | None, Field(description="Encounters created before this time.")] = None
    vehicle_id: Annotated[IdText | None, Field(description="Encounters of this vehicle.")] = None
    device_id: Annotated[IdText | None, Field(description="Measurements of this device.")] = None
    mdc_codes: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=128)], ...] | None,
        Field(min_length=1, max_length=CODES_MAX, description="Measurements with one of these codes."),
    ] = None

    @field_validator("format", mode="before")
    @classmethod
    def _conceal(cls, given: Any, info: ValidationInfo) -> Any:
        if info.context is None or REGISTRY in info.context[SCOPES] or given in PUBLIC_FORMATS:
            return given
        *first, last = (repr(each.value) for each in PUBLIC_FORMATS)
        raise PydanticKnownError("enum", {"expected": f"{', '.join(first)} or {last}"})

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.since is not None and self.until is not None and read_moment(self.since) >= read_moment(self.until):
            raise ValueError("since must be before until")
        if self.data is ExportData.ENCOUNTERS and (self.device_id is not None or self.mdc_codes is not None):
            raise ValueError("device_id and mdc_codes select observations and waveforms, not encounters")
        if self.format is ExportFormat.NEMSIS and self.data is not ExportData.ENCOUNTERS:
            raise ValueError("nemsis has encounters only: choose another format for observations and waveforms")
        return self

    def encounters(self, before_us: int) -> EncounterFilter:
        """Return the choice of encounters, all of them created before a time."""
        until_us = before_us if self.until is None else min(before_us, read_moment(self.until))
        since_us = None if self.since is None else read_moment(self.since)
        return EncounterFilter(vehicle_id=self.vehicle_id, since_us=since_us, until_us=until_us)


class Position(BaseModel):
    """The position of an export: behind the encounter `after` (time of creation and id; None: at the first), and in
    the next encounter, if that is `encounter_id`, behind `place`."""

    after: tuple[int, str] | None = None
    encounter_id: str | None = None
    place: tuple[int, int, int, int] | None = None

    def behind(self, encounter: Encounter, place: Place | None) -> "Position":
        """Return the position behind a place of an encounter (None: behind its last row)."""
        if place is None:
            return Position(after=(encounter.created_at_us, encounter.id))
        return Position(after=self.after, encounter_id=encounter.id, place=place)


def part_until(encounter: Encounter, at_us: int, before_us: int) -> float:
    """Return the part of an encounter, 0 to 1, until a time of its rows. The end of an encounter that has none is
    `before_us`. An estimate, since a count of the rows would read all of them."""
    end_us = before_us if encounter.ended_at_us is None else min(encounter.ended_at_us, before_us)
    return min(1.0, max(0.0, (at_us - encounter.created_at_us) / max(1, end_us - encounter.created_at_us)))


class JoinedFile(BaseModel):
    """The file of an export that is complete: an object that the job's result does not name yet."""

    object_name: str
    size_bytes: int
    sha256: str

    def stored(self) -> StoredObject:
        return StoredObject(self.object_name, self.size_bytes, bytes.fromhex(self.sha256))


class ExportState(BaseModel):
    """The state of an export behind a part of its file. `before_us` is the time of its beginning: later encounters are
    not exported (None: it has not begun). `encounter_part` is the estimated part, 0 to 1, of the encounter in which the
    position is. `parts` and `details` are the marks of two uploads: of the file, and of what the format needs of each
    part for the end of the file."""

    before_us: int | None = None
    encounters: int = 0
    encounters_done: int = 0
    encounter_part: float = 0.0
    rows: int = 0
    position: Position = Position()
    parts: dict[str, Any] | None = None
    details: dict[str, Any] | None = None
    joined: JoinedFile | None = None

    @property
    def progress_pct(self) -> int:
        """The part of the encounters that are done, in percent."""
        if self.before_us is None:
            return 0
        return min(99, int(100 * (self.encounters_done + self.encounter_part) / max(1, self.encounters)))

    def move(self, encounter: Encounter, place: Place | None) -> None:
        """Move the position behind a place of an encounter (None: behind its last row)."""
        assert self.before_us is not None, "the export has begun"
        self.position = self.position.behind(encounter, place)
        self.encounters_done += place is None
        self.encounter_part = 0.0 if place is None else part_until(encounter, place[0], self.before_us)

    @property
    def marks(self) -> tuple[dict[str, Any] | None, ...]:
        """The marks of both uploads."""
        return self.parts, self.details
