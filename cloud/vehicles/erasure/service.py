"""Request the erasure of an encounter, show what it would erase, and list erasures.

A request deletes the encounter, its crew list and its assignments at once, so all readers find it no more. The rest is
done in steps (`eraser`). What is left is the tombstone, which has nothing about the patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from cloud.access.audit import Audit
from cloud.clinical.acqi import Scoring
from cloud.clinical.assignments import Assignments
from cloud.clinical.devices import Devices
from cloud.clinical.epcr import Encounter, EncounterEvidence, Encounters, EncounterUnknown, JoinedReport, Joins
from cloud.clinical.handover import ShareLinks
from cloud.clinical.incidents import incidents
from cloud.clinical.observations import DeviceInterval, ErasedValues
from cloud.clinical.waveforms import waveform_sources
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.ids import Ids
from cloud.foundation.viewer import Actor
from cloud.vehicles.custody import ErasureSeals
from cloud.vehicles.erasure.errors import EncounterErased, EncounterOpen
from cloud.vehicles.erasure.holds import check_holds
from cloud.vehicles.erasure.model import Erasure, ErasureReason
from cloud.vehicles.erasure.row_phases import count_changes
from cloud.vehicles.erasure.store import ErasureStore
from cloud.vehicles.missions import MissionRows
from protocols.provenance.transcript import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The amounts that the erasure of an encounter deletes: observations in rows, observations in packed runs (with
    those of the same runs that are not of the encounter), field changes, and assignments. `reports` are the reports of
    the crew that the encounter was joined to: their field changes are counted too."""

    encounter_id: str
    observations: int
    packed_observations: int
    changes: int
    assignments: int
    reports: Sequence[str]


class Erasures:
    """Operations on erasures of encounters. If `evidence` is None, erasures are not recorded in the evidence of the
    encounters."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, evidence: EncounterEvidence | None = None) -> None:
        self._evidence = evidence
        self._database = database
        self._clock = clock
        self._ids = ids
        self._store = ErasureStore()
        self._encounters = Encounters()
        self._joins = Joins()
        self._scoring = Scoring()
        self._share_links = ShareLinks()
        self._assignments = Assignments(Devices(ids))
        self._missions = MissionRows(clock)
        self._audit = Audit(clock)

    async def preview(self, actor: Actor, encounter_id: str) -> Preview:
        """Count what an erasure deletes. Raises as `request` does."""
        async with self._database.read() as tx:
            encounter = await self._find(tx, actor, encounter_id)
            intervals = await self._intervals(tx, actor, encounter)
            values = await ErasedValues.find(tx, actor.tenant_id, encounter_id, intervals)
            draft = await self._tombstone(tx, actor, encounter, values, ErasureReason.PATIENT_REQUEST)
            reports = await self._reports(tx, encounter)
            await check_holds(tx, actor, draft, values, reports)
            return Preview(
                encounter_id=encounter_id,
                observations=await values.count(tx),
                packed_observations=await _count_packed(tx, values),
                changes=await count_changes(tx, draft, reports),
                assignments=len(intervals),
                reports=sorted({one.report_id for one in reports}),
            )

    async def request(self, actor: Actor, encounter_id: str, reason: ErasureReason, seals: ErasureSeals) -> Erasure:
        """Begin the erasure of a finished encounter. Raises `EncounterUnknown`, `EncounterErased`, `EncounterOpen`, and
        `EncounterHeld` if a legal hold keeps data of it."""
        async with self._database.transaction() as tx:
            encounter = await self._find(tx, actor, encounter_id, lock=True)
            intervals = await self._intervals(tx, actor, encounter)
            values = await ErasedValues.find(tx, actor.tenant_id, encounter_id, intervals)
            erasure = (await self._tombstone(tx, actor, encounter, values, reason)).sealed(seals)
            reports = await self._reports(tx, encounter)
            await check_holds(tx, actor, erasure, values, reports)
            await self._assignments.erase(tx, actor.tenant_id, encounter_id)
            await self._encounters.erase(tx, encounter)
            await self._missions.erase(tx, actor.tenant_id, encounter_id)
            await self._scoring.forget(tx, actor.tenant_id, encounter_id)
            for shared_id in (encounter_id, *(one.report_id for one in reports)):
                await self._share_links.erase(tx, actor.tenant_id, shared_id)
            await self._store.add(tx, erasure, intervals)
            await self._store.add_reports(tx, erasure.erasure_id, reports)
            details = {"erasure_id": erasure.erasure_id, "reason": reason.value}
            await self._audit.record(tx, actor, "encounter.erase", encounter_id, metadata=details)
            if self._evidence is not None:
                await self._evidence.append(tx, actor, encounter, Operation.DELETE, details=details)
        return erasure

    async def of_tenant(self, tenant_id: str) -> Sequence[Erasure]:
        """Return the erasures of a tenant, oldest first."""
        async with self._database.read() as tx:
            return await self._store.of_tenant(tx, tenant_id)

    async def _reports(self, tx: Transaction, encounter: Encounter) -> set[JoinedReport]:
        return await self._joins.to_erase(tx, encounter.tenant_id, encounter.organization_id, encounter.id)

    async def _find(self, tx: Transaction, actor: Actor, encounter_id: str, *, lock: bool = False) -> Encounter:
        encounter = await self._encounters.find(tx, actor, encounter_id, lock=lock)
        if encounter is not None:
            return encounter
        if await self._encounters.was_erased(tx, actor.tenant_id, encounter_id):
            raise EncounterErased
        raise EncounterUnknown

    async def _intervals(self, tx: Transaction, actor: Actor, encounter: Encounter) -> list[DeviceInterval]:
        """Return the intervals in which devices are assigned to a finished encounter."""
        assigned = await self._assignments.list(tx, actor, encounter_id=encounter.id)
        valid = [one for one in assigned if one.voided_at_us is None]
        opened = [one.id for one in valid if one.until_us is None]
        if not encounter.status.is_final:
            raise EncounterOpen(f"(Its status is {encounter.status}.)")
        if opened:
            raise EncounterOpen(f"(Open assignments: {', '.join(opened)}.)")
        return [
            DeviceInterval(device_id=one.device_id, from_us=one.from_us, until_us=one.until_us)
            for one in valid
            if one.until_us is not None
        ]

    async def _tombstone(
        self, tx: Transaction, by: Actor, encounter: Encounter, values: ErasedValues, reason: ErasureReason
    ) -> Erasure:
        """Return the tombstone of an encounter at the beginning of its erasure, without its seal."""
        now_us = self._clock.now_us()
        spans = [span for of_source in values.intervals.values() for span in of_source]
        times_us = [encounter.created_at_us, *(at_us for span in spans for at_us in span)]
        return Erasure(
            erasure_id=self._ids.new("ers"),
            tenant_id=encounter.tenant_id,
            encounter_id=encounter.id,
            organization_id=encounter.organization_id,
            vehicle_id=encounter.vehicle_id,
            incident_id=await self._incident(tx, encounter),
            from_us=min(times_us),
            until_us=max(times_us),
            reason=reason,
            requested_by=by.subject,
            requested_at_us=now_us,
            progress_at_us=now_us,
        )

    async def _incident(self, tx: Transaction, encounter: Encounter) -> str | None:
        table = incidents.c
        named = select(table.id).where(
            table.tenant_id == encounter.tenant_id,
            table.organization_id == encounter.organization_id,
            table.cad_incident_id == encounter.cad_incident_id,
        )
        found = (await tx.execute(named)).scalar()
        return None if found is None else str(found)


async def _count_packed(tx: Transaction, values: ErasedValues) -> int:
    """Count the observations of the runs that overlap the encounter."""
    table = waveform_sources.c
    counted = 0
    for one in values.ranges:
        clock_id, apart = one.selection.clock_id, one.selection.apart
        begin, end, of_clock = table.monotonic_from_us, table.monotonic_until_us, table.clock_id == clock_id
        if clock_id is None:
            begin, end, of_clock = table.from_us, table.until_us, table.clock_id.not_in(apart)
        here = (table.source_id == one.selection.source_id, of_clock, begin < one.until_us, end >= one.from_us)
        found = await tx.execute(select(func.coalesce(func.sum(table.observations), 0)).where(*here))
        counted += int(found.scalar())
    return counted
