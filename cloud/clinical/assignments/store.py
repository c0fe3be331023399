"""SQL statements that read and write assignments."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, delete, or_, select, update

from cloud.clinical.assignments.model import Assignment, Timeline
from cloud.clinical.assignments.tables import assignments
from cloud.clinical.devices import Devices
from cloud.clinical.epcr import MovedInterval
from cloud.foundation.db import Records, Transaction, insert
from cloud.foundation.viewer import Viewer, visible

_ASSIGNMENTS = Records(Assignment, assignments)


class Assignments:
    """SQL statements on assignments. A device's assignments may be stored under its own id or under the id of a device
    merged into it."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    async def timeline(self, tx: Transaction, viewer: Viewer, device_id: str) -> Timeline:
        """Return the assignments of a device that are not voided; none for a device that the viewer cannot see."""
        identities = await self._devices.identities(tx, viewer, device_id)
        statement = _ASSIGNMENTS.select().where(
            *visible(assignments, viewer),
            assignments.c.device_id.in_(identities),
            assignments.c.voided_at_us.is_(None),
        )
        return Timeline(await _ASSIGNMENTS.all(tx, statement))

    async def overlapping(
        self, tx: Transaction, viewer: Viewer, identities: Sequence[str], from_us: int, until_us: int | None
    ) -> Assignment | None:
        """Return an assignment of these device ids that overlaps the interval from `from_us` until before `until_us`
        (None: no end); None if no assignment overlaps it. The caller must have locked the device's row."""
        statement = _ASSIGNMENTS.select().where(
            *visible(assignments, viewer),
            assignments.c.device_id.in_(identities),
            assignments.c.voided_at_us.is_(None),
            or_(assignments.c.until_us.is_(None), assignments.c.until_us > from_us),
        )
        if until_us is not None:
            statement = statement.where(assignments.c.from_us < until_us)
        return await _ASSIGNMENTS.first(tx, statement.order_by(assignments.c.from_us).limit(1))

    async def find(self, tx: Transaction, viewer: Viewer, assignment_id: str) -> Assignment | None:
        statement = _ASSIGNMENTS.select().where(*visible(assignments, viewer), assignments.c.id == assignment_id)
        return await _ASSIGNMENTS.first(tx, statement)

    async def list(
        self, tx: Transaction, viewer: Viewer, *, device_id: str | None = None, encounter_id: str | None = None
    ) -> Sequence[Assignment]:
        """Return assignments, including voided ones. `device_id` and `encounter_id` select those of one device and of
        one encounter; None selects all."""
        statement = _ASSIGNMENTS.select().where(*visible(assignments, viewer))
        if device_id is not None:
            identities = await self._devices.identities(tx, viewer, device_id)
            statement = statement.where(assignments.c.device_id.in_(identities))
        if encounter_id is not None:
            statement = statement.where(assignments.c.encounter_id == encounter_id)
        return await _ASSIGNMENTS.all(tx, statement.order_by(assignments.c.from_us, assignments.c.id))

    async def add(self, tx: Transaction, assignment: Assignment) -> None:
        """Add an assignment. Raises `ConstraintViolated` when it is the second open assignment of its device."""
        await tx.execute(insert(assignments).values(_ASSIGNMENTS.values(assignment)))

    async def close(self, tx: Transaction, viewer: Viewer, assignment_id: str, *, until_us: int, by: str) -> None:
        await self._change(tx, viewer, assignment_id, {"until_us": until_us, "closed_by": by})

    async def void(self, tx: Transaction, viewer: Viewer, assignment_id: str, *, at_us: int, by: str) -> None:
        await self._change(tx, viewer, assignment_id, {"voided_at_us": at_us, "voided_by": by})

    async def erase(self, tx: Transaction, tenant_id: str, encounter_id: str) -> None:
        """Delete the assignments to an encounter, voided ones too. An assignment to another encounter that replaced one
        of them stays, without the reference."""
        mine = (assignments.c.tenant_id == tenant_id, assignments.c.encounter_id == encounter_id)
        replaced = assignments.c.replaces.in_(select(assignments.c.id).where(*mine))
        await tx.execute(
            update(assignments).where(assignments.c.tenant_id == tenant_id, replaced).values(replaces=None)
        )
        await tx.execute(delete(assignments).where(*mine))

    async def _change(self, tx: Transaction, viewer: Viewer, assignment_id: str, values: dict[str, Any]) -> None:
        statement = update(assignments).where(*visible(assignments, viewer), assignments.c.id == assignment_id)
        await tx.execute(statement.values(**values))


async def find_moves(tx: Transaction, viewer: Viewer, encounter_id: str) -> Sequence[MovedInterval]:
    """Return the intervals that were moved to this encounter or away from it, in the order of the moves."""
    old, new = assignments.alias("old"), assignments
    statement = (
        select(new, old.c.encounter_id.label("from_encounter_id"))
        .join(old, and_(old.c.tenant_id == new.c.tenant_id, old.c.id == new.c.replaces))
        .where(
            *visible(new, viewer),
            new.c.encounter_id != old.c.encounter_id,
            or_(new.c.encounter_id == encounter_id, old.c.encounter_id == encounter_id),
        )
        .order_by(new.c.assigned_at_us, new.c.id)
    )
    return [
        MovedInterval(
            assignment_id=row.id,
            device_id=row.device_id,
            from_us=row.from_us,
            until_us=row.until_us,
            from_encounter_id=row.from_encounter_id,
            to_encounter_id=row.encounter_id,
            moved_by=row.assigned_by,
            moved_at_us=row.assigned_at_us,
        )
        for row in await tx.execute(statement)
    ]
