"""Export the care record of an encounter as a NEMSIS report, and record in the audit trail that it was read."""

from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType

from cloud.access.audit import Audit
from cloud.access.tenancy import TenancyStore, Vehicle
from cloud.clinical.epcr import (
    CareLog,
    CareModel,
    Encounter,
    Encounters,
    EncounterUnknown,
    IdentifiedReads,
    PurposeOfUse,
)
from cloud.clinical.nemsis import REGISTRY
from cloud.clinical.nemsis.agency import Agency, AgencyStore
from cloud.clinical.nemsis.errors import AgencyMissing
from cloud.clinical.nemsis.identity import report_id_of
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.viewer import Actor
from protocols.epcr.record import current_record
from protocols.nemsis.content import find_catalogued, find_fault
from protocols.nemsis.export import Exported, Sender, Supplied, export_record

SERVICES = MappingProxyType(
    {
        CareModel.PREHOSPITAL_EMERGENCY: "2205001",
        CareModel.INTERFACILITY_TRANSFER: "2205005",
        CareModel.COMMUNITY_PARAMEDICINE: "2205031",
        CareModel.EVENT_MEDICAL: "2205013",
    }
)
"""Code of the service requested (eResponse.05) for each care model of an encounter."""


@dataclass(frozen=True, slots=True)
class Report:
    """An encounter and its report. The document of a report with problems is empty."""

    encounter: Encounter
    exported: Exported


class ReportExport:
    """Operation that exports reports."""

    def __init__(self, database: Database, clock: Clock) -> None:
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
            report = await self._write(tx, actor, encounter)
            details = {"problems": len(report.exported.problems), "omissions": len(report.exported.omissions)}
            await self._audit.record(tx, actor, "epcr.nemsis_export", encounter.id, metadata=details)
        return report

    async def read_for_registry(self, actor: Actor, encounter_id: str) -> Report:
        """Return the report of an encounter, with patient data, for an app of an entitled tenant. Raises `NotFound`,
        `EncounterUnknown`, `AgencyMissing`, `CareRecordTooLarge`."""
        async with self._database.transaction() as tx:
            encounter = await self._reads.admit(
                tx, actor, encounter_id, scope=REGISTRY, purpose=PurposeOfUse.PUBHLTH, form="nemsis"
            )
            return await self._write(tx, actor, encounter)

    async def _write(self, tx: Transaction, actor: Actor, encounter: Encounter) -> Report:
        agency = await AgencyStore().find(tx, actor, encounter.organization_id)
        if agency is None:
            raise AgencyMissing
        vehicle = None
        if encounter.vehicle_id is not None:
            vehicle = await TenancyStore().find_vehicle(tx, actor, encounter.vehicle_id)
        history = await CareLog().of_encounter(tx, encounter)
        return Report(encounter, export_record(current_record(history), _supplied(encounter, agency, vehicle)))


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
