"""The mission of an encounter: vehicle, crew, care model, status and end, as the dispatch system and the operator set
them.

Who decides. Mission and status belong to the dispatch system, and to the operator at the console where there is none.
The first end stands: an ended encounter changes no more, and a repetition of the same end has no effect. The vehicle's
record never changes the mission. The end that its times state is shown as `vehicle_status`, and is part of the audit
entry and of the event when the encounter ends, so that a contradiction (cancelled by the one, completed by the other)
stays visible. Two writers of one mission do not overwrite each other's change: each change increments `version`, which
is in the entity tag, and a change with an outdated `If-Match` is refused.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cloud.access.audit import Audit
from cloud.access.tenancy import OrganizationUnknown, TenancyStore
from cloud.clinical.epcr.care_log import CareLog
from cloud.clinical.epcr.crew import checked_crew
from cloud.clinical.epcr.encounter_events import EncounterEvents
from cloud.clinical.epcr.errors import (
    EncounterFinished,
    EncounterTaken,
    EncounterUnknown,
    EncounterVehicleUnknown,
    EndTimeMisplaced,
)
from cloud.clinical.epcr.evidence import EncounterEvidence
from cloud.clinical.epcr.mission_outbox import MissionOutbox
from cloud.clinical.epcr.model import Encounter, Mission, MissionChange
from cloud.clinical.epcr.store import Crew, Encounters
from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.http import IdempotentReply, Response
from cloud.foundation.ids import Ids
from cloud.foundation.viewer import Actor, Viewer
from protocols.epcr.encounter import STATED_KEYS, stated_status
from protocols.epcr.record import current_record
from protocols.provenance.transcript import Operation

ENDED_AGO_US_MAX = 30 * 86_400_000_000
"""Age of an end that a dispatch system may report late, as for observations (contract A-106)."""
ENDED_AHEAD_US_MAX = 5 * 60_000_000
"""Difference between the clocks of two servers."""

Precondition = Callable[[Mission], None]
"""Examines the locked mission before a change; raises when the client saw another version."""


class Missions:
    """Reads and changes missions. One transaction contains a change, its events, its audit entries and its record of
    evidence. If `evidence` is None, changes are not recorded there. `outbox` writes the missions of vehicles in the
    same transaction; None: no vehicle is informed."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        evidence: EncounterEvidence | None = None,
        outbox: MissionOutbox | None = None,
    ) -> None:
        self._evidence = evidence
        self._outbox = outbox
        self._database = database
        self._clock = clock
        self._encounters = Encounters()
        self._crew = Crew()
        self._log = CareLog()
        self._events = EncounterEvents(clock, ids)
        self._tenancy = TenancyStore()
        self._audit = Audit(clock)

    async def read(self, viewer: Viewer, encounter_id: str) -> Mission:
        """Return the mission of an encounter. Raises `EncounterUnknown`, also for one of another organisation."""
        async with self._database.read() as tx:
            return await self._mission(tx, viewer, await self._found(tx, viewer, encounter_id))

    async def change(
        self,
        actor: Actor,
        encounter_id: str,
        change: MissionChange,
        *,
        precondition: Precondition | None = None,
    ) -> Mission:
        """Apply a change and return the mission after it. A change without effect emits no event. Raises
        `EncounterUnknown`, `EncounterFinished`, `EncounterVehicleUnknown`, `CrewMemberUnknown`, `EncounterTaken`,
        `EndTimeMisplaced`, and what `precondition` raises."""
        async with self._database.transaction() as tx:
            mission = await self._change(tx, actor, encounter_id, change, precondition)
        self._signal()
        return mission

    async def change_once(
        self,
        actor: Actor,
        encounter_id: str,
        change: MissionChange,
        once: IdempotentReply,
        respond: Callable[[Mission], Response],
        *,
        precondition: Precondition,
    ) -> Response:
        """Return the response that is stored for the idempotency key, or else apply a change as `change` does and store
        the response that `respond` makes. Also raises `IdempotencyKeyReused`, `IdempotencyKeyInFlight`."""
        async with self._database.transaction() as tx:
            replay = await once.replay(tx)
            if replay is not None:
                return replay
            mission = await self._change(tx, actor, encounter_id, change, precondition)
            response = await once.store(tx, respond(mission))
        self._signal()
        return response

    def _signal(self) -> None:
        if self._outbox is not None:
            self._outbox.signal()

    async def _change(
        self, tx: Transaction, actor: Actor, encounter_id: str, change: MissionChange, precondition: Precondition | None
    ) -> Mission:
        before = await self._found(tx, actor, encounter_id, lock=True)
        mission = await self._mission(tx, actor, before)
        if precondition is not None:
            precondition(mission)
        ended_at_us = self._ended_at_us(change)
        ending = change.status is not None and change.status is not before.status
        crew_ids = None
        if change.crew_ids is not None:
            crew_ids = await checked_crew(tx, self._crew, actor, before.organization_id, change.crew_ids)
            if frozenset(crew_ids) == await self._encounters.crew_ids(tx, before):
                crew_ids = None
        encounter = replace(
            before,
            vehicle_id=before.vehicle_id if change.vehicle_id is None else change.vehicle_id,
            care_model=change.care_model or before.care_model,
        )
        changed = [name for name in ("vehicle_id", "care_model") if getattr(encounter, name) != getattr(before, name)]
        changed += [] if crew_ids is None else ["crew_ids"]
        if change.call and self._outbox is not None and await self._outbox.differs(tx, before, change.call):
            changed.append("call")
        if not changed and not ending:
            return mission
        if before.status.is_final:
            raise EncounterFinished
        await check_vehicle(tx, self._tenancy, actor, before.organization_id, change.vehicle_id)
        encounter = replace(encounter, version=before.version + 1)
        if change.status is not None and ending:
            encounter = replace(encounter, status=change.status, ended_at_us=ended_at_us)
        try:
            await self._encounters.replace(tx, encounter)
        except ConstraintViolated:
            raise EncounterTaken("(This vehicle has one of the incident already.)") from None
        if crew_ids is not None:
            await self._encounters.replace_crew(tx, encounter, crew_ids)
        await self._report(tx, actor, mission, encounter, changed)
        if self._outbox is not None:
            await self._outbox.put(tx, encounter, change.call)
        crew_count = mission.crew_count if crew_ids is None else len(crew_ids)
        return replace(mission, encounter=encounter, crew_count=crew_count)

    async def _report(
        self, tx: Transaction, actor: Actor, before: Mission, encounter: Encounter, changed: list[str]
    ) -> None:
        """Emit the events of a change, write its audit entries, and record it in the encounter's evidence."""
        traceparent = actor.traceparent
        if changed:
            await self._events.emit_updated(tx, encounter, changed, traceparent=traceparent)
            await self._audit.record(tx, actor, "encounter.change", encounter.id, metadata=state_of(encounter))
        if encounter.status is not before.encounter.status:
            stated = before.vehicle_status
            await self._events.emit_finished(tx, encounter, stated, traceparent=traceparent)
            metadata = {**state_of(encounter), "vehicle_status": stated}
            await self._audit.record(tx, actor, "encounter.finish", encounter.id, metadata=metadata)
            changed = [*changed, "status"]
        if self._evidence is not None:
            await self._evidence.append(tx, actor, encounter, Operation.UPDATE, details={"changed": changed})

    async def _found(self, tx: Transaction, viewer: Viewer, encounter_id: str, *, lock: bool = False) -> Encounter:
        encounter = await self._encounters.find(tx, viewer, encounter_id, lock=lock)
        if encounter is None:
            raise EncounterUnknown
        return encounter

    async def _mission(self, tx: Transaction, viewer: Viewer, encounter: Encounter) -> Mission:
        crew_count = await self._encounters.crew_count(tx.driver.rows, viewer, encounter.id)
        record = current_record(await self._log.of_encounter(tx, encounter, keys=STATED_KEYS))
        return Mission(encounter, crew_count, stated_status(record))

    def _ended_at_us(self, change: MissionChange) -> int:
        """Return the end that a change states, by default now. Raises `EndTimeMisplaced`."""
        now_us = self._clock.now_us()
        if change.ended_at_us is None:
            return now_us
        if change.status is None or not change.status.is_final:
            raise EndTimeMisplaced
        if not now_us - ENDED_AGO_US_MAX <= change.ended_at_us <= now_us + ENDED_AHEAD_US_MAX:
            raise EndTimeMisplaced
        return change.ended_at_us


async def check_vehicle(
    tx: Transaction, tenancy: TenancyStore, viewer: Viewer, organization_id: str, vehicle_id: str | None
) -> None:
    """Check that the vehicle of an encounter belongs to its organisation. Raises `OrganizationUnknown`,
    `EncounterVehicleUnknown`."""
    if await tenancy.find_organization(tx, viewer, organization_id) is None:
        raise OrganizationUnknown
    if vehicle_id is not None:
        vehicle = await tenancy.find_vehicle(tx, viewer, vehicle_id)
        if vehicle is None or vehicle.organization_id != organization_id:
            raise EncounterVehicleUnknown(mistakes=[Mistake("not in this organisation", "/vehicle_id")])


def state_of(encounter: Encounter) -> dict[str, Any]:
    """Return the fields of an encounter that an audit entry records."""
    return {"status": encounter.status, "vehicle_id": encounter.vehicle_id, "care_model": encounter.care_model}
