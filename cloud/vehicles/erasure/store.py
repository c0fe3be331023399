"""SQL statements on erasures."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson
from sqlalchemy import select, update

from cloud.clinical.epcr import JoinedReport, erased_encounters
from cloud.clinical.observations import DeviceInterval
from cloud.foundation.db import Records, Transaction, insert
from cloud.vehicles.erasure.errors import StepTaken
from cloud.vehicles.erasure.model import Amounts, Erasure, Phase, Progress
from cloud.vehicles.erasure.tables import erased_intervals, erased_object_walks, erased_reports

_ERASURES = Records(Erasure, erased_encounters)
_table = erased_encounters.c
_PHASES = tuple(Phase)


@dataclass(frozen=True, slots=True)
class ErasureState:
    """State of an erasure as `doctor` reads it: texts as they are stored, since the database may be damaged."""

    erasure_id: str
    encounter_id: str
    phase: str
    failure: str | None
    requested_at_us: int


_STATES = Records(ErasureState, erased_encounters)


class ErasureStore:
    """SQL statements on erasures, their intervals, and the walk through the objects of each tenant."""

    async def add(self, tx: Transaction, erasure: Erasure, intervals: Sequence[DeviceInterval]) -> bool:
        """Store a new erasure. Return False if the encounter was erased already."""
        if not await _ERASURES.add(tx, erasure):
            return False
        if intervals:
            rows = [
                {"erasure_id": erasure.erasure_id, "device_id": one.device_id, "from_us": one.from_us,
                 "until_us": one.until_us}
                for one in intervals
            ]  # fmt: skip
            await tx.execute(insert(erased_intervals).values(rows))
        return True

    async def of_tenant(self, tx: Transaction, tenant_id: str) -> Sequence[Erasure]:
        """Return the erasures of a tenant, oldest first."""
        mine = _ERASURES.select().where(_table.tenant_id == tenant_id)
        return await _ERASURES.all(tx, mine.order_by(_table.requested_at_us, _table.erasure_id))

    async def find(self, tx: Transaction, erasure_id: str) -> Erasure | None:
        return await _ERASURES.first(tx, _ERASURES.select().where(_table.erasure_id == erasure_id))

    async def unfinished(self, tx: Transaction) -> Sequence[Erasure]:
        """Return the erasures that are at work, oldest first."""
        statement = _ERASURES.select().where(_table.phase != Phase.DONE.value)
        return await _ERASURES.all(tx, statement.order_by(_table.requested_at_us, _table.erasure_id))

    async def states(self, tx: Transaction) -> Sequence[ErasureState]:
        """Return the states of the erasures that have not yet erased everything, oldest first."""
        unfinished = (_table.phase != Phase.DONE.value, _table.finished_at_us.is_(None))
        return await _STATES.all(tx, _STATES.select().where(*unfinished).order_by(_table.requested_at_us))

    async def begin_round(self, tx: Transaction, before_us: int, now_us: int) -> bool:
        """Let the finished erasure that was looked at longest ago, before `before_us`, look again for what arrived
        meanwhile. Return False if there is none."""
        due = select(_table.erasure_id).where(_table.phase == Phase.DONE.value, _table.progress_at_us < before_us)
        found = (await tx.execute(due.order_by(_table.progress_at_us).limit(1))).scalar()
        if found is None:
            return False
        values = {"phase": Phase.ROWS.value, "position": "[]", "step": _table.step + 1, "progress_at_us": now_us}
        mine = (_table.erasure_id == found, _table.phase == Phase.DONE.value)
        return (await tx.execute(update(erased_encounters).where(*mine).values(values))).rowcount == 1

    async def intervals(self, tx: Transaction, erasure_id: str) -> Sequence[DeviceInterval]:
        table = erased_intervals.c
        statement = select(table.device_id, table.from_us, table.until_us).where(table.erasure_id == erasure_id)
        return [
            DeviceInterval(device_id=row.device_id, from_us=row.from_us, until_us=row.until_us)
            for row in await tx.execute(statement.order_by(table.device_id, table.from_us))
        ]

    async def add_reports(self, tx: Transaction, erasure_id: str, reports: Collection[JoinedReport]) -> None:
        """Add reports that are erased with the encounter. Those that are known are ignored."""
        if reports:
            rows = [
                {"erasure_id": erasure_id, "report_id": one.report_id, "gateway_id": one.gateway_id}
                for one in sorted(reports)
            ]
            await tx.execute(insert(erased_reports).values(rows).on_conflict_do_nothing())

    async def reports(self, tx: Transaction, erasure_id: str) -> frozenset[JoinedReport]:
        """Return the reports that are erased with the encounter."""
        table = erased_reports.c
        found = await tx.execute(select(table.report_id, table.gateway_id).where(table.erasure_id == erasure_id))
        return frozenset(JoinedReport(row.report_id, row.gateway_id) for row in found)

    async def lock(self, tx: Transaction, erasure: Erasure) -> None:
        """Lock an erasure for its next step. Raises `StepTaken` if another process did this step."""
        mine = (_table.erasure_id == erasure.erasure_id, _table.step == erasure.step)
        found = await tx.execute(select(_table.erasure_id).where(*mine).with_for_update())
        if found.first() is None:
            raise StepTaken

    async def lock_in_phase(self, tx: Transaction, phase: Phase) -> Sequence[Erasure]:
        """Lock the erasures in a phase against further steps, and return them."""
        mine = _ERASURES.select().where(_table.phase == phase.value).order_by(_table.erasure_id)
        return await _ERASURES.all(tx, mine.with_for_update())

    async def move_to(self, tx: Transaction, erasure: Erasure, position: list[int]) -> None:
        """Let a locked erasure continue its phase at another position. A step that has begun then fails with
        `StepTaken`, and is done again."""
        values = {"position": orjson.dumps(position).decode(), "step": erasure.step + 1}
        await tx.execute(update(erased_encounters).where(_table.erasure_id == erasure.erasure_id).values(values))

    async def keep(self, tx: Transaction, erasure: Erasure, progress: Progress, now_us: int) -> None:
        """Store the result of a step in its transaction. Raises `StepTaken` if another process did this step."""
        phase, position = erasure.phase, progress.position
        if position is None:
            phase, position = _PHASES[_PHASES.index(phase) + 1], []
        values: dict[str, Any] = {
            "phase": phase.value,
            "position": orjson.dumps(position).decode(),
            "step": erasure.step + 1,
            "failure": None,
            "progress_at_us": now_us,
            **{one.name: _table[one.name] + getattr(progress.amounts, one.name) for one in fields(Amounts)},
        }
        if phase is Phase.DONE and erasure.finished_at_us is None:
            values["finished_at_us"] = now_us
        mine = (_table.erasure_id == erasure.erasure_id, _table.step == erasure.step)
        if (await tx.execute(update(erased_encounters).where(*mine).values(values))).rowcount != 1:
            raise StepTaken

    async def fail(self, tx: Transaction, erasure: Erasure, sentence: str) -> None:
        """Store why the next step of an erasure did not happen."""
        mine = (_table.erasure_id == erasure.erasure_id, _table.step == erasure.step)
        await tx.execute(update(erased_encounters).where(*mine).values(failure=sentence))

    async def walk_from(self, tx: Transaction, tenant_id: str, after_name: str) -> None:
        """Let the walk through the tenant's objects begin again after this name, unless it is before it."""
        table = erased_object_walks.c
        new = insert(erased_object_walks).values(tenant_id=tenant_id, after_name=after_name, through_us=0)
        earlier = {"after_name": new.excluded.after_name, "through_us": 0}
        later = table.after_name > new.excluded.after_name
        await tx.execute(new.on_conflict_do_update(index_elements=[table.tenant_id], set_=earlier, where=later))

    async def walks(self, tx: Transaction) -> Sequence[tuple[str, str]]:
        """Return the tenants with erasures, each with the name after which its walk continues."""
        table = erased_object_walks.c
        found = await tx.execute(select(table.tenant_id, table.after_name).order_by(table.tenant_id))
        return [(row.tenant_id, row.after_name) for row in found]

    async def walk_on(self, tx: Transaction, tenant_id: str, former: str, after_name: str, through_us: int) -> bool:
        """Move a walk on from the name `former`. Return False if another process moved it."""
        table = erased_object_walks.c
        here = (table.tenant_id == tenant_id, table.after_name == former)
        moved = update(erased_object_walks).where(*here).values(after_name=after_name, through_us=through_us)
        return (await tx.execute(moved)).rowcount == 1

    async def walked_through_us(self, tx: Transaction, tenant_id: str) -> int | None:
        """Return the time before which all objects of a tenant were searched; None if none has to be."""
        table = erased_object_walks.c
        found = (await tx.execute(select(table.through_us).where(table.tenant_id == tenant_id))).scalar()
        return None if found is None else int(found)
