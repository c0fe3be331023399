"""Import the reports of a NEMSIS document as field changes of care records.

The author of the changes is the agency that sent the document. An import adds only what the agency states now and did
not state before, and withdraws what it no longer states. So a document that is imported twice changes nothing, and a
corrected document replaces the earlier one. Statements of other authors stay.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from cloud.access.audit import Audit
from cloud.clinical.epcr import (
    CHANGES_READ_MAX,
    IMPORTS_LANE_ID,
    CareLog,
    CareRecordTooLarge,
    Encounter,
    EncounterEvidence,
    Encounters,
    EncounterUnknown,
    Epcr,
    MissionChange,
    Missions,
    ReceivedChanges,
)
from cloud.clinical.nemsis.errors import DocumentUnreadable, OrganizationDiffers, ReportsTooMany
from cloud.clinical.nemsis.identity import encounter_id_of
from cloud.clinical.observations import new_sequence
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.ids import Ids
from cloud.foundation.viewer import Actor
from protocols.epcr.catalogue import find_element
from protocols.epcr.change import AUTHOR_LENGTH_MAX, Action, FieldChange
from protocols.epcr.encounter import EncounterStatus
from protocols.epcr.record import current_record
from protocols.nemsis.document import DocumentRefused
from protocols.nemsis.problem import Omission
from protocols.nemsis.reading import ReadReport, Statement, read_reports
from protocols.provenance.transcript import Operation


class Place(NamedTuple):
    """The place of a statement: its element, its entry, and its value if the element has many values."""

    key: str
    entry: str
    member: str


@dataclass(frozen=True, slots=True)
class ImportedReport:
    """The result of one report: its encounter, the number of changes, and what the care record does not have."""

    encounter: Encounter
    changes: int
    omissions: tuple[Omission, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The place of imported reports: an existing encounter, or the organisation (and vehicle) of new ones."""

    organization_id: str | None = None
    vehicle_id: str | None = None
    encounter_id: str | None = None


class ReportImport:
    """Operation that imports documents. If `evidence` is None, imports are not recorded in the evidence of the
    encounters."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, evidence: EncounterEvidence | None = None) -> None:
        self._evidence = evidence
        self._database = database
        self._clock = clock
        self._ids = ids
        self._epcr = Epcr(database, clock, ids, evidence=evidence)
        self._missions = Missions(database, clock, ids, evidence)
        self._log = CareLog()
        self._audit = Audit(clock)

    async def take(self, actor: Actor, document: bytes, to: Destination) -> list[ImportedReport]:
        """Import the reports of a document, each in a transaction. Without an encounter in `to`, each report has one of
        its own, which is created at the first import. Raises `DocumentUnreadable`, `ReportsTooMany`,
        `EncounterUnknown`, `OrganizationUnknown`, `OrganizationDiffers`, `EncounterVehicleUnknown`,
        `CareRecordTooLarge`."""
        try:
            reports = read_reports(document)
        except DocumentRefused as error:
            raise DocumentUnreadable(error.reason) from None
        if to.encounter_id is not None and len(reports) > 1:
            raise ReportsTooMany(f"(The document has {len(reports)}.)")
        digest = sha256(document).hexdigest()
        return [await self._import(actor, report, to, digest) for report in reports]

    async def _import(self, actor: Actor, report: ReadReport, to: Destination, digest: str) -> ImportedReport:
        encounter_id = to.encounter_id or encounter_id_of(report.id)
        if to.encounter_id is None:
            await self._begin(actor, encounter_id, to)
        author = f"nemsis:{report.agency}"[:AUTHOR_LENGTH_MAX]
        async with self._database.transaction() as tx:
            encounter = await Encounters().find(tx, actor, encounter_id, lock=True)
            if encounter is None:
                raise EncounterUnknown
            history = await self._log.of_encounter(tx, encounter)
            now_us = self._clock.now_us()
            changes = [
                _change(drafted, encounter.id, author, self._ids.new("chg"), now_us)
                for drafted in _differences(report.statements, _stated(history, author))
            ]
            if len(history) + len(changes) > CHANGES_READ_MAX:
                raise CareRecordTooLarge
            if changes:
                await self._log.append(tx, [self._received(encounter, changes, now_us)])
            details = {
                "report": str(report.id),
                "agency": report.agency,
                "sha256": digest,
                "changes": len(changes),
                "omissions": sum(each.count for each in report.omissions),
            }
            await self._audit.record(tx, actor, "epcr.nemsis_import", encounter.id, metadata=details)
            if changes and self._evidence is not None:
                imported = {"changed": ["care_record"], "document_sha256": digest, "changes": len(changes)}
                await self._evidence.append(tx, actor, encounter, Operation.UPDATE, details=imported)
        if to.encounter_id is None and not encounter.status.is_final:
            completed = MissionChange(status=EncounterStatus.COMPLETED)
            encounter = (await self._missions.change(actor, encounter.id, completed)).encounter
        return ImportedReport(encounter, len(changes), report.omissions)

    async def _begin(self, actor: Actor, encounter_id: str, to: Destination) -> None:
        """Create the encounter of a report, if it does not exist."""
        assert to.organization_id is not None, "a destination has an encounter or an organisation"
        async with self._database.read() as tx:
            found = await Encounters().find(tx, actor, encounter_id)
        if found is None:
            await self._epcr.begin(actor, organization_id=to.organization_id, vehicle_id=to.vehicle_id, id=encounter_id)
        elif found.organization_id != to.organization_id:
            raise OrganizationDiffers(f"({encounter_id})")

    def _received(self, encounter: Encounter, changes: Sequence[FieldChange], now_us: int) -> ReceivedChanges:
        return ReceivedChanges(
            lane_id=IMPORTS_LANE_ID,
            sequence=new_sequence(self._ids),
            tenant_id=encounter.tenant_id,
            organization_id=encounter.organization_id,
            vehicle_id=encounter.vehicle_id or "",
            gateway_id="",
            received_at_us=now_us,
            changes=changes,
        )


def _place(key: str, entry: str | None, value: str | None) -> Place:
    element = find_element(key)
    is_many = element is not None and element.many
    return Place(key, entry or "", (value or "") if is_many else "")


def _stated(history: Sequence[FieldChange], author: str) -> dict[Place, FieldChange]:
    """Return the statements of an author that stand."""
    record = current_record(history)
    return {
        _place(change.key, change.entry, change.value): change
        for field in record.fields
        for change in (*field.shown, *field.contradicting)
        if change.author == author and change.action is Action.SET
    }


def _differences(
    statements: Sequence[Statement], stated: dict[Place, FieldChange]
) -> Iterator[tuple[Statement, FieldChange | None]]:
    """Yield each statement that is new, with None, and each that is withdrawn, with the change that states it."""
    wanted = {_place(each.key, each.entry, each.value): each for each in statements}
    for place, change in stated.items():
        if place not in wanted:
            yield _withdrawn(change), change
    for place, statement in wanted.items():
        before = stated.get(place)
        if before is None or before.content != (statement.value, statement.negative, statement.not_recorded):
            yield statement, None


def _withdrawn(change: FieldChange) -> Statement:
    element = find_element(change.key)
    value = change.value if element is not None and element.many else None
    return Statement(key=change.key, entry=change.entry, value=value, negative=None, not_recorded=None)


def _change(
    drafted: tuple[Statement, FieldChange | None], encounter_id: str, author: str, id: str, now_us: int
) -> FieldChange:
    statement, withdrawn = drafted
    return FieldChange(
        id=id,
        encounter=encounter_id,
        key=statement.key,
        author=author,
        gateway_time_us=now_us,
        action=Action.SET if withdrawn is None else Action.REMOVE,
        entry=statement.entry,
        value=statement.value,
        negative=statement.negative,
        not_recorded=statement.not_recorded,
        device_time_us=statement.time_us,
        replaces=() if withdrawn is None else (withdrawn.id,),
    )
