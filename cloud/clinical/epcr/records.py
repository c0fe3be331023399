"""Read the care record of an encounter: the current record and its history."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cloud.access.audit import Audit
from cloud.clinical.epcr.care_log import CareLog
from cloud.clinical.epcr.errors import EncounterUnknown
from cloud.clinical.epcr.evidence import EncounterEvidence
from cloud.clinical.epcr.model import Encounter, MovedInterval
from cloud.clinical.epcr.store import Encounters
from cloud.clinical.epcr.visible_records import VisibleRecords
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.supplies import Need
from cloud.foundation.viewer import Actor, SecrecyLevel, Viewer
from protocols.epcr.change import FieldChange
from protocols.epcr.element import Audience
from protocols.epcr.projection import VisibleRecord
from protocols.epcr.record import CareRecord, current_record
from protocols.provenance.transcript import Operation


@dataclass(frozen=True, slots=True)
class RecordWithHistory:
    """An encounter, its current care record, every change of the record in order, and the observations that were moved
    to it or away from it."""

    encounter: Encounter
    record: CareRecord
    history: Sequence[FieldChange]
    moves: Sequence[MovedInterval] = ()


FindMoves = Callable[[Transaction, Viewer, str], Awaitable[Sequence[MovedInterval]]]
"""Return the intervals that were moved to an encounter or away from it."""
FIND_MOVES: Need[FindMoves] = Need("find the observations that were moved to or from an encounter")


class CareRecords:
    """Operations on care records. Without `find_moves` a history has no moved intervals. `evidence` records readings
    above the level `standard` in the encounter's evidence; None: they are not recorded there."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        find_moves: FindMoves | None = None,
        evidence: EncounterEvidence | None = None,
    ) -> None:
        self._evidence = evidence
        self._database = database
        self._find_moves = find_moves
        self._encounters = Encounters()
        self._log = CareLog()
        self._audit = Audit(clock)

    async def visible(
        self, actor: Actor, encounter_id: str, audience: Audience, records: VisibleRecords
    ) -> VisibleRecord:
        """Return what `audience` (partners or treatment) sees of a record, and record in the audit trail that it was
        read. Raises `EncounterUnknown`, `CareRecordTooLarge`, `MasterKeyAbsent`."""
        async with self._database.transaction() as tx:
            encounter = await self._encounters.find(tx, actor, encounter_id)
            if encounter is None:
                raise EncounterUnknown
            partners = audience is Audience.PARTNERS
            found = await (records.for_partners if partners else records.for_treatment)(tx, encounter)
            metadata = {"as": audience.value, "fields": len(found.fields), "withheld": found.withheld}
            await self._audit.record(tx, actor, "epcr.record_read", encounter.id, metadata=metadata)
            await self._record(tx, actor, encounter, audience.value)
        return found

    async def read(self, actor: Actor, encounter_id: str) -> RecordWithHistory:
        """Return the whole record of an encounter, with patient data, and record in the audit trail that it was read.
        Raises `EncounterUnknown`, `CareRecordTooLarge`."""
        async with self._database.transaction() as tx:
            encounter = await self._encounters.find(tx, actor, encounter_id)
            if encounter is None:
                raise EncounterUnknown
            history = await self._log.of_encounter(tx, encounter)
            moves = () if self._find_moves is None else await self._find_moves(tx, actor, encounter.id)
            await self._audit.record(tx, actor, "epcr.record_read", encounter.id, metadata={"changes": len(history)})
            await self._record(tx, actor, encounter, "operator")
        return RecordWithHistory(encounter, current_record(history), history, moves)

    async def _record(self, tx: Transaction, actor: Actor, encounter: Encounter, audience: str) -> None:
        """Record in the evidence of an encounter above the level `standard` that its record was read (contract matrix
        A-123)."""
        if self._evidence is not None and encounter.secrecy_level > SecrecyLevel.STANDARD:
            await self._evidence.append(tx, actor, encounter, Operation.READ, details={"as": audience})
