"""Export the care record of an encounter as a NEMSIS report, and record in the audit trail that it was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType

from cloud.access.audit import Audit
from cloud.access.tenancy import TenancyStore, Vehicle
from cloud.clinical.epcr import (
    CareLog,
    CareModel,
    Encounter,
    EncounterEvidence,
    Encounters,
    EncounterUnknown,
    IdentifiedReads,
    PurposeOfUse,
)
from cloud.clinical.nemsis import REGISTRY
from cloud.clinical.nemsis.agency import Agency, AgencyStore
from cloud.clinical.nemsis.errors import AgencyMissing, ReportIncomplete
from cloud.clinical.nemsis.identity import report_id_of
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.viewer import Actor
from protocols.epcr.change import FieldChange
from protocols.epcr.record import current_record
from protocols.nemsis.content import find_catalogued, find_fault
from protocols.nemsis.export import Exported, Sender, Supplied, export_record
from protocols.provenance.transcript import Operation

SERVICES = MappingProxyType(
    {
        CareModel.PREHOSPITAL_EMERGENCY: "2205001",
        CareModel.INTERFACILITY_TRANSFER: "2205005",
        CareModel.COMMUNITY_PARAMEDICINE: "2205031",
        CareModel.EVENT_MEDICAL: "2205013",
    }
)
"""Code of the service requested (eResponse.05) for each care model of an encounter."""

_FORM = "nemsis"
"""Name of the format in audit entries."""


PROBLEMS_MAX = 100
"""Problems that an error names. A record with more was entered for another standard."""


@dataclass(frozen=True, slots=True)
class Report:
    """An encounter and its report. The document of a report with problems is empty. `record_values` is the number of
    values of the care record, also of those that were replaced."""

    encounter: Encounter
    exported: Exported
    record_values: int

    @property
    def incomplete(self) -> ReportIncomplete | None:
        """The error that names the problems of the report; None if it has none."""
        problems = self.exported.problems[:PROBLEMS_MAX]
        return ReportIncomplete(mistakes=[Mistake(problem.text) for problem in problems]) if problems else None


class ReportExport:
    """Operation that exports reports. `evidence` records in the evidence of an encounter that an app got its report;
    None: nothing is recorded, as by the console and by jobs, whose file has evidence of its own."""

    def __init__(self, database: Database, clock: Clock, evidence: EncounterEvidence | None = None) -> None:
        self._evidence = evidence
        self._database = database
        self._audit = Audit(clock)
        self._reads = IdentifiedReads(clock)

    async def read(self, actor: Actor, encounter_id: str) -> Report:
        """Return the report of an encounter, with patient data, for the operator. Raises `EncounterUnknown`,
        `AgencyMissing`, `CareRecordTooLarge`."""
        async with self._database.transaction() as tx:
            encounter = await Encounters().find(tx, actor, encounter_id)
            if encounter is None:
                raise EncounterUnknown
            report = _write(await self._gather(tx, actor, encounter))
            details = {"problems": len(report.exported.problems), "omissions": len(report.exported.omissions)}
            await self._audit.record(tx, actor, "epcr.nemsis_export", encounter.id, metadata=details)
        return report

    async def read_for_registry(self, actor: Actor, encounter_id: str) -> Report:
        """Return the report of an encounter, with patient data, for an app of an entitled tenant. Raises `NotFound`,
        `EncounterUnknown`, `AgencyMissing`, `CareRecordTooLarge`."""
        async with self._database.transaction() as tx:
            encounter = await self._reads.admit(
                tx, actor, encounter_id, scope=REGISTRY, purpose=PurposeOfUse.PUBHLTH, form=_FORM
            )
            if self._evidence is not None:
                details = {"purpose_of_use": PurposeOfUse.PUBHLTH.value, "form": _FORM}
                await self._evidence.append(tx, actor, encounter, Operation.EXPORT, details=details)
            return _write(await self._gather(tx, actor, encounter))

    async def read_for_job(self, actor: Actor, encounter_id: str) -> Report:
        """Return the same report for a job, in a transaction that only reads: the job calls `record_job_reads` before
        it gives the report to anybody. Raises the errors of `read_for_registry`."""
        async with self._database.read() as tx:
            encounter = await self._reads.find(tx, actor, encounter_id, scope=REGISTRY)
            gathered = await self._gather(tx, actor, encounter)
        return _write(gathered)

    async def record_job_reads(self, tx: Transaction, actor: Actor, encounter_ids: Sequence[str], job_id: str) -> None:
        """Record in the audit trail that a job read these reports."""
        for encounter_id in encounter_ids:
            await self._reads.record(tx, actor, encounter_id, purpose=PurposeOfUse.PUBHLTH, form=_FORM, job_id=job_id)

    async def _gather(self, tx: Transaction, actor: Actor, encounter: Encounter) -> "_Gathered":
        agency = await AgencyStore().find(tx, actor, encounter.organization_id)
        if agency is None:
            raise AgencyMissing
        vehicle = None
        if encounter.vehicle_id is not None:
            vehicle = await TenancyStore().find_vehicle(tx, actor, encounter.vehicle_id)
        return _Gathered(encounter, await CareLog().of_encounter(tx, encounter), agency, vehicle)


@dataclass(frozen=True, slots=True)
class _Gathered:
    """The content of a report: the history of the care record, and what is known beside it."""

    encounter: Encounter
    history: Sequence[FieldChange]
    agency: Agency
    vehicle: Vehicle | None


def _write(gathered: _Gathered) -> Report:
    encounter = gathered.encounter
    supplied = _supplied(encounter, gathered.agency, gathered.vehicle)
    exported = export_record(current_record(gathered.history), supplied)
    return Report(encounter, exported, len(gathered.history))


def _supplied(encounter: Encounter, agency: Agency, vehicle: Vehicle | None) -> Supplied:
    """Return what is known beside the record: the agency, the dispatch, the vehicle and this software."""
    known = {
        "eRecord.01": encounter.id,
        "eRecord.02": "Argus",
        "eRecord.03": "Argus",
        "eRecord.04": version("argus"),
        "eResponse.01": agency.number,
        "eResponse.03": encounter.cad_incident_id,
        "eResponse.05": SERVICES[encounter.care_model],
        "eResponse.07": agency.unit_capability,
        "eResponse.13": _first_fit("eResponse.13", vehicle),
        "eResponse.14": _first_fit("eResponse.14", vehicle),
    }
    return Supplied(
        sender=Sender(state_id=agency.state_id, number=agency.number, state=agency.state),
        report_id=report_id_of(encounter),
        values={name: value for name, value in known.items() if value is not None},
        not_reporting=frozenset(agency.not_reporting),
    )


def _first_fit(name: str, vehicle: Vehicle | None) -> str | None:
    """Return the name or the id of a vehicle, whichever NEMSIS permits as the value of an element; otherwise None."""
    element = find_catalogued(name)
    assert element is not None, "the catalogue has the vehicle and its call sign"
    candidates = () if vehicle is None else (vehicle.name, vehicle.id)
    return next((each for each in candidates if find_fault(name, element, each) is None), None)
