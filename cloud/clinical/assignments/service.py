"""Assign the observations of a device to an encounter for an interval; close and move assignments (DESIGN D16).

Two assignments of one device never overlap: the device's row is locked while the overlap is checked. In addition, a
unique index allows only one assignment without an end for each device.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cloud.access.audit import Audit
from cloud.clinical.assignments.errors import (
    AssignmentEnded,
    AssignmentOverlaps,
    AssignmentUnknown,
    EncounterHeld,
    IntervalEmpty,
    IntervalOutside,
)
from cloud.clinical.assignments.event_types import ASSIGNMENT_ADDED, ASSIGNMENT_CLOSED, ASSIGNMENT_MOVED
from cloud.clinical.assignments.holds import is_held
from cloud.clinical.assignments.model import Assignment
from cloud.clinical.assignments.store import Assignments
from cloud.clinical.devices import Device, Devices, DeviceUnknown
from cloud.clinical.epcr import Encounter, EncounterEvidence, Encounters, EncounterUnknown, evidence_id_of_encounter
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.events import Outbox
from cloud.foundation.ids import Ids
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Actor, Viewer
from protocols.provenance.transcript import Operation


class AssignmentService:
    """Operations on assignments. If `evidence` is None, they are not recorded in the evidence of the encounters."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, evidence: EncounterEvidence | None = None) -> None:
        self._evidence = evidence
        self._database = database
        self._clock = clock
        self._ids = ids
        self._devices = Devices(ids)
        self._encounters = Encounters()
        self._assignments = Assignments(self._devices)
        self._outbox = Outbox(ids)
        self._audit = Audit(clock)

    async def assign(
        self,
        actor: Actor,
        *,
        device_id: str,
        encounter_id: str,
        from_us: int | None = None,
        until_us: int | None = None,
    ) -> Assignment:
        """Assign the device's observations from `from_us` (None: now) until `until_us` (None: no end yet) to an
        encounter. Raises `DeviceUnknown`, `EncounterUnknown` (also for an encounter of another organisation),
        `IntervalEmpty`, `AssignmentOverlaps`."""
        now_us = self._clock.now_us()
        begins_us = now_us if from_us is None else from_us
        if until_us is not None and until_us <= begins_us:
            raise IntervalEmpty
        async with self._database.transaction() as tx:
            device = await self._lock(tx, actor, device_id)
            encounter = await self._find_encounter(tx, actor, encounter_id, device.organization_id, lock=True)
            assignment = Assignment(
                tenant_id=actor.tenant_id,
                id=self._ids.new("asg"),
                organization_id=device.organization_id,
                device_id=device.id,
                encounter_id=encounter_id,
                from_us=begins_us,
                until_us=until_us,
                assigned_by=actor.subject,
                assigned_at_us=now_us,
                closed_by=None if until_us is None else actor.subject,
                voided_at_us=None,
                voided_by=None,
                replaces=None,
            )
            identities = await self._devices.identities(tx, actor, device.id)
            other = await self._assignments.overlapping(tx, actor, identities, begins_us, until_us)
            if other is not None:
                raise AssignmentOverlaps(f"(assignment {other.id})")
            await self._assignments.add(tx, assignment)
            details = {"encounter_id": encounter_id}
            await self._record(tx, actor, "assignment.add", ASSIGNMENT_ADDED, assignment, details)
            await self._add_to_evidence(tx, actor, encounter, assignment)
        return assignment

    async def device_with_system_id(self, viewer: Viewer, system_id: str, *, encounter_id: str) -> str:
        """Return the id of the device with this system id in the organisation of the encounter. Raises `DeviceUnknown`,
        `EncounterUnknown`."""
        async with self._database.transaction() as tx:
            encounter = await self._encounters.find(tx, viewer, encounter_id)
            if encounter is None:
                raise EncounterUnknown
            device = await self._devices.by_system_id(tx, viewer, encounter.organization_id, system_id.lower())
        if device is None:
            raise DeviceUnknown
        return device.id

    async def close(self, actor: Actor, assignment_id: str, *, at_us: int | None = None) -> Assignment:
        """End an assignment at `at_us` (None: now). Raises `AssignmentUnknown`, `AssignmentEnded`, `IntervalEmpty`."""
        until_us = self._clock.now_us() if at_us is None else at_us
        async with self._database.transaction() as tx:
            assignment = await self._current(tx, actor, assignment_id)
            if assignment.until_us is not None:
                raise AssignmentEnded
            if until_us <= assignment.from_us:
                raise IntervalEmpty
            # Also one above the actor's clearance: its evidence names every end.
            everything = Actor.operator(actor.tenant_id)
            encounter = await self._encounters.find(tx, everything, assignment.encounter_id, lock=True)
            await self._assignments.close(tx, actor, assignment.id, until_us=until_us, by=actor.subject)
            details = {"until_us": until_us}
            await self._record(tx, actor, "assignment.close", ASSIGNMENT_CLOSED, assignment, details)
            closed = replace(assignment, until_us=until_us, closed_by=actor.subject)
            if encounter is not None:  # None: it was erased
                await self._add_to_evidence(tx, actor, encounter, closed)
        return closed

    async def move(
        self,
        actor: Actor,
        assignment_id: str,
        *,
        encounter_id: str,
        from_us: int | None = None,
        until_us: int | None = None,
    ) -> Assignment:
        """Move an assignment, or its interval from `from_us` (None: its start) until `until_us` (None: its end), to
        another encounter; return the new assignment. The previous one stays in the database as voided, and what is left
        of its interval stays with its encounter. No observation and no batch is changed: readers find the encounter of
        a value by its time. Raises `AssignmentUnknown`, `AssignmentEnded`, `EncounterUnknown` (also for an erased one),
        `IntervalOutside`, and `EncounterHeld` if one of both encounters is under a legal hold."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            old = await self._current(tx, actor, assignment_id)
            begins_us = old.from_us if from_us is None else from_us
            ends_us = old.until_us if until_us is None else until_us
            if not _is_within(old, begins_us, ends_us):
                raise IntervalOutside
            both: dict[str, Encounter] = {}
            # Locked in one order, so that two moves never wait for each other.
            for named in sorted({old.encounter_id, encounter_id}):
                both[named] = await self._find_encounter(tx, actor, named, old.organization_id, lock=True)
                if await is_held(tx, both[named]):
                    raise EncounterHeld(f"(encounter {named})")

            def part(encounter_id: str, from_us: int, until_us: int | None) -> Assignment:
                return replace(
                    old,
                    id=self._ids.new("asg"),
                    encounter_id=encounter_id,
                    from_us=from_us,
                    until_us=until_us,
                    assigned_by=actor.subject,
                    assigned_at_us=now_us,
                    closed_by=old.closed_by if until_us == old.until_us else actor.subject,
                    replaces=old.id,
                )

            new = part(encounter_id, begins_us, ends_us)
            left = [] if begins_us == old.from_us else [part(old.encounter_id, old.from_us, begins_us)]
            if ends_us is not None and ends_us != old.until_us:
                left.append(part(old.encounter_id, ends_us, old.until_us))
            await self._assignments.void(tx, actor, old.id, at_us=now_us, by=actor.subject)
            for assignment in (new, *left):
                await self._assignments.add(tx, assignment)
            details = {"from_encounter_id": old.encounter_id, "to_encounter_id": encounter_id, "replaces": old.id}
            await self._record(tx, actor, "assignment.move", ASSIGNMENT_MOVED, new, {**details, "until_us": ends_us})
            await self._transfer(tx, actor, both.values(), new, old.encounter_id)
        return new

    async def _add_to_evidence(
        self, tx: Transaction, actor: Actor, encounter: Encounter, assignment: Assignment
    ) -> None:
        """Record in the evidence of an encounter that an assignment to it was added or closed."""
        if self._evidence is not None:
            details = {"changed": ["assignments"], **_named(assignment)}
            await self._evidence.append(tx, actor, encounter, Operation.UPDATE, details=details)

    async def _transfer(
        self, tx: Transaction, actor: Actor, encounters: Iterable[Encounter], new: Assignment, from_encounter_id: str
    ) -> None:
        """Record in the evidence of both encounters that observations moved from one to the other."""
        if self._evidence is None:
            return
        moved = {"from_encounter_id": from_encounter_id, "to_encounter_id": new.encounter_id}
        details = {**_named(new), **moved}
        for encounter in sorted(encounters, key=evidence_id_of_encounter):
            await self._evidence.append(tx, actor, encounter, Operation.TRANSFER, details=details)

    async def list(
        self, viewer: Viewer, *, device_id: str | None = None, encounter_id: str | None = None
    ) -> Sequence[Assignment]:
        async with self._database.read() as tx:
            return await self._assignments.list(tx, viewer, device_id=device_id, encounter_id=encounter_id)

    async def _lock(self, tx: Transaction, viewer: Viewer, device_id: str) -> Device:
        """Lock and return a device, or the device that it was merged into. Raises `DeviceUnknown`."""
        device = await self._devices.find(tx, viewer, device_id, hidden=True, lock=True)
        if device is not None and device.merged_into is not None:
            device = await self._devices.find(tx, viewer, device.merged_into, hidden=True, lock=True)
        if device is None:
            raise DeviceUnknown
        return device

    async def _current(self, tx: Transaction, viewer: Viewer, assignment_id: str) -> Assignment:
        """Return an assignment with its device locked. Raises `AssignmentUnknown`; `AssignmentEnded` if voided."""
        found = await self._assignments.find(tx, viewer, assignment_id)
        if found is None:
            raise AssignmentUnknown
        await self._lock(tx, viewer, found.device_id)
        found = await self._assignments.find(tx, viewer, assignment_id)  # read it again under the lock
        assert found is not None
        if found.voided_at_us is not None:
            raise AssignmentEnded
        return found

    async def _find_encounter(
        self, tx: Transaction, viewer: Viewer, encounter_id: str, organization_id: str, *, lock: bool = False
    ) -> Encounter:
        """Return an encounter of this organisation. `lock`: lock it, so that its evidence gets its newest version.
        Raises `EncounterUnknown`."""
        encounter = await self._encounters.find(tx, viewer, encounter_id, lock=lock)
        if encounter is None or encounter.organization_id != organization_id:
            raise EncounterUnknown
        return encounter

    async def _record(
        self,
        tx: Transaction,
        actor: Actor,
        action: str,
        event_type: str,
        assignment: Assignment,
        details: Mapping[str, object],
    ) -> None:
        payload = {
            "assignment_id": assignment.id,
            "device_id": assignment.device_id,
            "from_us": assignment.from_us,
            **details,
            "by": actor.subject,
        }
        now_us = self._clock.now_us()
        await self._outbox.emit(tx, event_type, assignment, key=assignment.device_id, payload=payload, at_us=now_us)
        await self._audit.record(tx, actor, action, assignment.id, metadata=details)


def _named(assignment: Assignment) -> dict[str, str | None]:
    """Return an assignment as a record of evidence names it."""
    return {
        "assignment_id": assignment.id,
        "device_id": assignment.device_id,
        "from": write_moment(assignment.from_us),
        "until": write_moment(assignment.until_us),
    }


def _is_within(assignment: Assignment, from_us: int, until_us: int | None) -> bool:
    """Return whether an interval (`until_us` None: without end) has a length and lies in that of the assignment."""
    if from_us < assignment.from_us:
        return False
    if until_us is None:
        return assignment.until_us is None
    return from_us < until_us and (assignment.until_us is None or until_us <= assignment.until_us)
