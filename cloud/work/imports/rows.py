"""The table of the data that an import adds row by row, with the services of the API.

A row is checked by the model of the API's request, and stored by the service of the API's route, so an imported row has
the checks, the events and the audit entries of a request. Each kind of data is recognised when it is imported again:
devices by serial number, profiles by reference, encounters by incident and vehicle.
"""

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto
from itertools import takewhile
from typing import Any, Generic, Protocol, Self, TypeVar

from pydantic import BaseModel, ValidationError, model_validator

from cloud.access.apps import ClearanceExceeded
from cloud.clinical.devices import (
    BulkEnrolment,
    DeviceClassUnknown,
    DeviceEnrolment,
    DeviceFields,
    DeviceTextMalformed,
    DeviceVehicleUnknown,
    Enrolment,
    SystemIdTaken,
)
from cloud.clinical.epcr import (
    ENCOUNTER_EVIDENCE,
    CadIncidentMalformed,
    CrewMemberUnknown,
    Dispatch,
    EncounterTaken,
    EncounterToBegin,
    EncounterVehicleUnknown,
    Epcr,
)
from cloud.clinical.profiles import ProfileLine, Profiles, ProfileTaken
from cloud.foundation.db import Transaction
from cloud.foundation.errors import DomainError, Mistake, meaning_of
from cloud.foundation.http import mistakes_of
from cloud.foundation.process import Process
from cloud.foundation.viewer import Actor
from cloud.work.imports.errors import EncounterDiffers
from cloud.work.imports.schemas import ImportData, RowError

ROW_MALFORMED = "row_malformed"


class Stored(Enum):
    """The effect of a row: a new object, a write to the existing one, or none since that one has the same fields."""

    CREATED = auto()
    UPDATED = auto()
    UNCHANGED = auto()


RowT = TypeVar("RowT", bound=BaseModel)


class RowStore(Protocol):
    """Stores the rows of one kind of data."""

    @property
    def model(self) -> type[BaseModel]:
        """The model of a row."""
        ...

    @property
    def refusals(self) -> tuple[type[DomainError], ...]:
        """The errors of `store` that are about the row. Any other one, such as that of an unavailable database, is an
        error of the step."""
        ...

    async def store_new(
        self, tx: Transaction, actor: Actor, organization_id: str, rows: Sequence[Any]
    ) -> Collection[int]:
        """Store at once those rows that are surely new; return their positions in `rows`. The others are left to
        `store`."""
        ...

    async def store(self, tx: Transaction, actor: Actor, organization_id: str, row: Any, *, job_id: str) -> Stored:
        """Store a row for a job. Raises one of `refusals` for a row that cannot be stored."""
        ...

    async def record(self, tx: Transaction, actor: Actor, organization_id: str, count: int) -> None:
        """Record in the audit trail that a chunk was stored, if `store` has not recorded its rows."""
        ...


class _Rows(Generic[RowT]):
    model: type[RowT]

    async def store_new(
        self, tx: Transaction, actor: Actor, organization_id: str, rows: Sequence[RowT]
    ) -> Collection[int]:
        """Each row is stored by itself."""
        return ()

    async def record(self, tx: Transaction, actor: Actor, organization_id: str, count: int) -> None:
        """Each row has an entry of its own."""


class DeviceRows(_Rows[DeviceEnrolment]):
    """Devices, as `POST /api/v1/devices/enrol` enrols them."""

    model = DeviceEnrolment
    refusals = (DeviceClassUnknown, DeviceTextMalformed, DeviceVehicleUnknown, SystemIdTaken)

    def __init__(self, process: Process) -> None:
        self._enrolment = Enrolment(process.database, process.clock, process.ids)
        self._bulk = BulkEnrolment(process.clock, process.ids)

    async def store_new(
        self, tx: Transaction, actor: Actor, organization_id: str, rows: Sequence[DeviceEnrolment]
    ) -> Collection[int]:
        enrolments = [_device_fields(organization_id, row) for row in rows]
        return await self._bulk.enrol_new_in(tx, actor, organization_id, enrolments)

    async def store(
        self, tx: Transaction, actor: Actor, organization_id: str, row: DeviceEnrolment, *, job_id: str
    ) -> Stored:
        outcome = await self._enrolment.enrol_in(tx, actor, **_device_fields(organization_id, row))
        return Stored.UPDATED if outcome.again else Stored.CREATED


def _device_fields(organization_id: str, row: DeviceEnrolment) -> DeviceFields:
    return {
        "organization_id": organization_id,
        "serial_number": row.serial_number,
        "device_class": row.device_class,
        "manufacturer": row.manufacturer,
        "system_id": row.system_id,
        "vehicle_id": row.vehicle_id,
    }


class ProfileRows(_Rows[ProfileLine]):
    """Profiles, as `argus-cloud profiles import` stores them."""

    model = ProfileLine
    refusals = (ClearanceExceeded, ProfileTaken)

    def __init__(self, process: Process) -> None:
        self._profiles = Profiles(process.database, process.clock, process.ids)

    async def store(
        self, tx: Transaction, actor: Actor, organization_id: str, row: ProfileLine, *, job_id: str
    ) -> Stored:
        is_new = await self._profiles.put_in(tx, actor, organization_id, row)
        return Stored.CREATED if is_new else Stored.UPDATED

    async def record(self, tx: Transaction, actor: Actor, organization_id: str, count: int) -> None:
        await self._profiles.record_import(tx, actor, organization_id, count)


class EncounterRow(EncounterToBegin):
    """An encounter to import. It names its incident, so that a row that is sent again is the same encounter."""

    @model_validator(mode="after")
    def _names_its_incident(self) -> Self:
        if self.cad_incident_id is None:
            raise ValueError("cad_incident_id is required")
        if self.call is not None:
            raise ValueError("call is for a single encounter, since an import informs no vehicle")
        return self


class EncounterRows(_Rows[EncounterRow]):
    """Encounters, as `POST /api/v1/epcr/encounters` begins them. An existing encounter is not changed: its mission may
    have been changed since the file was written, so a row with other fields is refused."""

    model = EncounterRow
    refusals = (CadIncidentMalformed, CrewMemberUnknown, EncounterDiffers, EncounterTaken, EncounterVehicleUnknown)

    def __init__(self, process: Process) -> None:
        evidence = process.supplies[ENCOUNTER_EVIDENCE](process)
        self._epcr = Epcr(process.database, process.clock, process.ids, evidence=evidence)

    async def store(
        self, tx: Transaction, actor: Actor, organization_id: str, row: EncounterRow, *, job_id: str
    ) -> Stored:
        dispatch = Dispatch(
            organization_id=organization_id,
            care_model=row.care_model,
            vehicle_id=row.vehicle_id,
            crew_ids=row.crew_ids,
            cad_incident_id=row.cad_incident_id,
        )
        begun = await self._epcr.dispatch_in(tx, actor, dispatch, job_id=job_id)
        if begun.created:
            return Stored.CREATED
        # The crew of the row is compared first, since an unknown member is the error to report.
        is_crew = "crew_ids" not in row.model_fields_set or await self._epcr.is_crew(
            tx, actor, begun.encounter, row.crew_ids
        )
        if not is_crew or begun.encounter.care_model is not row.care_model:
            raise EncounterDiffers
        return Stored.UNCHANGED


def row_stores(process: Process) -> Mapping[ImportData, RowStore]:
    """Return what stores the rows of each kind of data."""
    return {
        ImportData.DEVICES: DeviceRows(process),
        ImportData.PROFILES: ProfileRows(process),
        ImportData.ENCOUNTERS: EncounterRows(process),
    }


def malformed(line: int, error: ValidationError, model: type[BaseModel]) -> list[RowError]:
    """Return the first invalid fields of a row, at most five. The name of an unknown field is content of the row, so
    the names of the known ones are given instead."""
    found = mistakes_of(error, model, pointers=True) or [Mistake("more than 100 values are wrong")]
    errors: list[RowError] = []
    for one in found:
        field, detail = _known(one.pointer, model), one.detail
        if one.pointer and field is None:
            detail = f"the row has an unknown field; the fields are {', '.join(model.model_fields)}"
        errors.append(RowError(line, field, ROW_MALFORMED, detail))
    return errors


def refusal(line: int, error: DomainError, model: type[BaseModel]) -> RowError:
    """Return the reason for which a row cannot be stored."""
    pointer = error.mistakes[0].pointer if error.mistakes else None
    return RowError(line, _known(pointer, model), error.code, meaning_of(type(error)))


def _known(pointer: str | None, model: type[BaseModel]) -> str | None:
    """Return a pointer as far as it has a field of the row and places in lists; None if it begins with another name.
    The names within a field may be content of the row."""
    _, name, *rest = (pointer or "/").split("/")
    if name not in model.model_fields:
        return None
    return "/".join(("", name, *takewhile(str.isdecimal, rest)))
