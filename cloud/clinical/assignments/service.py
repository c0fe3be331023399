"""Say whose values a device's are: assign, close, move (D16).

Two assignments of one device never share a moment. The device's row is locked while that is looked at, so two people
who assign at once are answered one after the other on both databases; a unique index on open intervals is the last
guard.
"""

from collections.abc import Sequence
from dataclasses import replace

from cloud.clinical.assignments.errors import AssignmentEnded, AssignmentOverlaps, AssignmentUnknown, IntervalEmpty
from cloud.clinical.assignments.event_types import ASSIGNMENT_ADDED, ASSIGNMENT_CLOSED, ASSIGNMENT_MOVED
from cloud.clinical.assignments.model import Assignment
from cloud.clinical.assignments.store import Assignments
from cloud.clinical.devices import Device, Devices, DeviceUnknown
from cloud.clinical.epcr import Encounters, EncounterUnknown
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.events import Outbox
from cloud.foundation.ids import Ids
from cloud.foundation.viewer import Viewer


class AssignmentDesk:
    """The use cases about assignments. `by` names who says so: a user, an app, or `operator` at the console."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._devices = Devices(ids)
        self._encounters = Encounters()
        self._assignments = Assignments(self._devices)
        self._outbox = Outbox(ids)

    async def assign(
        self,
        viewer: Viewer,
        *,
        device_id: str,
        encounter_id: str,
        by: str,
        from_us: int | None = None,
        until_us: int | None = None,
    ) -> Assignment:
        """The device's values from `from_us` (None: now) on belong to the encounter.

        Raises `DeviceUnknown`, `EncounterUnknown` (also for another organisation's), `IntervalEmpty`,
        `AssignmentOverlaps`.
        """
        now_us = self._clock.now_us()
        begins_us = now_us if from_us is None else from_us
        if until_us is not None and until_us <= begins_us:
            raise IntervalEmpty
        async with self._database.transaction() as tx:
            device = await self._lock(tx, viewer, device_id)
            await self._check_encounter(tx, viewer, encounter_id, device.organization_id)
            assignment = Assignment(
                tenant_id=viewer.tenant_id,
                id=self._ids.new("asg"),
                organization_id=device.organization_id,
                device_id=device.id,
                encounter_id=encounter_id,
                from_us=begins_us,
                until_us=until_us,
                assigned_by=by,
                assigned_at_us=now_us,
                closed_by=None if until_us is None else by,
                voided_at_us=None,
                voided_by=None,
                replaces=None,
            )
            identities = await self._devices.identities(tx, viewer, device.id)
            other = await self._assignments.overlapping(tx, viewer, identities, begins_us, until_us)
            if other is not None:
                raise AssignmentOverlaps(f"(assignment {other.id})")
            await self._assignments.add(tx, assignment)
            await self._tell(tx, ASSIGNMENT_ADDED, assignment, {"encounter_id": encounter_id, "by": by})
        return assignment

    async def close(self, viewer: Viewer, assignment_id: str, *, by: str, at_us: int | None = None) -> Assignment:
        """The assignment ends at `at_us` (None: now).

        Raises `AssignmentUnknown`, `AssignmentEnded`, `IntervalEmpty`.
        """
        until_us = self._clock.now_us() if at_us is None else at_us
        async with self._database.transaction() as tx:
            assignment = await self._current(tx, viewer, assignment_id)
            if assignment.until_us is not None:
                raise AssignmentEnded
            if until_us <= assignment.from_us:
                raise IntervalEmpty
            await self._assignments.close(tx, viewer, assignment.id, until_us=until_us, by=by)
            await self._tell(tx, ASSIGNMENT_CLOSED, assignment, {"until_us": until_us, "by": by})
        return replace(assignment, until_us=until_us, closed_by=by)

    async def move(self, viewer: Viewer, assignment_id: str, *, encounter_id: str, by: str) -> Assignment:
        """The same interval belongs to another encounter after all: the assignment that says so now.

        The old one stays, voided, so that what was believed before can be read. Values are not touched.
        Raises `AssignmentUnknown`, `AssignmentEnded`, `EncounterUnknown`.
        """
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            old = await self._current(tx, viewer, assignment_id)
            await self._check_encounter(tx, viewer, encounter_id, old.organization_id)
            new = replace(
                old,
                id=self._ids.new("asg"),
                encounter_id=encounter_id,
                assigned_by=by,
                assigned_at_us=now_us,
                replaces=old.id,
            )
            await self._assignments.void(tx, viewer, old.id, at_us=now_us, by=by)
            await self._assignments.add(tx, new)
            said = {"from_encounter_id": old.encounter_id, "to_encounter_id": encounter_id, "replaces": old.id}
            await self._tell(tx, ASSIGNMENT_MOVED, new, {**said, "by": by})
        return new

    async def list(
        self, viewer: Viewer, *, device_id: str | None = None, encounter_id: str | None = None
    ) -> Sequence[Assignment]:
        async with self._database.read() as tx:
            return await self._assignments.list(tx, viewer, device_id=device_id, encounter_id=encounter_id)

    async def _lock(self, tx: Transaction, viewer: Viewer, device_id: str) -> Device:
        """The device, or the one it was merged into, kept still until the transaction ends."""
        device = await self._devices.find(tx, viewer, device_id, hidden=True, lock=True)
        if device is not None and device.merged_into is not None:
            device = await self._devices.find(tx, viewer, device.merged_into, hidden=True, lock=True)
        if device is None:
            raise DeviceUnknown
        return device

    async def _current(self, tx: Transaction, viewer: Viewer, assignment_id: str) -> Assignment:
        """An assignment that counts, with its device kept still."""
        found = await self._assignments.find(tx, viewer, assignment_id)
        if found is None:
            raise AssignmentUnknown
        await self._lock(tx, viewer, found.device_id)
        found = await self._assignments.find(tx, viewer, assignment_id)  # as it is now that nobody else can change it
        assert found is not None
        if found.voided_at_us is not None:
            raise AssignmentEnded
        return found

    async def _check_encounter(self, tx: Transaction, viewer: Viewer, encounter_id: str, organization_id: str) -> None:
        encounter = await self._encounters.find(tx, viewer, encounter_id)
        if encounter is None or encounter.organization_id != organization_id:
            raise EncounterUnknown

    async def _tell(self, tx: Transaction, event_type: str, about: Assignment, said: dict[str, object]) -> None:
        await self._outbox.emit(
            tx,
            event_type,
            tenant=about.tenant_id,
            organization=about.organization_id,
            key=about.device_id,
            payload={"assignment_id": about.id, "device_id": about.device_id, "from_us": about.from_us, **said},
            at_us=self._clock.now_us(),
        )
