"""SQL statements on schedules and their runs."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update

from cloud.foundation.db import Records, Transaction
from cloud.foundation.viewer import Viewer, visible
from cloud.work.schedules.model import REQUESTED, FailedSchedule, Run, Schedule
from cloud.work.schedules.tables import job_schedule_runs, job_schedules

RUNS_KEPT = 100
"""Runs of a schedule that are kept: three months of a daily one. The jobs themselves stay."""

_SCHEDULES = Records(Schedule, job_schedules)
_FAILED = Records(FailedSchedule, job_schedules)
_RUNS = Records(Run, job_schedule_runs)
_one = job_schedules.c
_run = job_schedule_runs.c


class ScheduleStore:
    """SQL statements on schedules and their runs."""

    async def add(self, tx: Transaction, schedule: Schedule) -> bool:
        return await _SCHEDULES.add(tx, schedule)

    async def count(self, tx: Transaction, tenant_id: str, client_id: str | None = None) -> int:
        """Return the number of schedules of a tenant, or of one of its apps."""
        statement = select(func.count()).select_from(job_schedules).where(_one.tenant_id == tenant_id)
        if client_id is not None:
            statement = statement.where(_one.client_id == client_id)
        return int((await tx.execute(statement)).scalar())

    async def find(self, tx: Transaction, viewer: Viewer, schedule_id: str, *, lock: bool = False) -> Schedule | None:
        """Return a schedule that the viewer may see, or None. `lock`: lock it until `tx` ends."""
        statement = _SCHEDULES.select().where(*visible(job_schedules, viewer), _one.id == schedule_id)
        return await _SCHEDULES.first(tx, statement.with_for_update() if lock else statement)

    async def list(self, tx: Transaction, viewer: Viewer, limit: int) -> Sequence[Schedule]:
        """Return the schedules that the viewer may see, in the order of their ids."""
        statement = _SCHEDULES.select().where(*visible(job_schedules, viewer)).order_by(_one.id).limit(limit)
        return await _SCHEDULES.all(tx, statement)

    async def list_stopped(self, tx: Transaction, viewer: Viewer, limit: int) -> Sequence[Schedule]:
        """Return the schedules that the viewer may see and that the service has paused, the last paused first."""
        statement = _SCHEDULES.select().where(
            *visible(job_schedules, viewer), _one.paused_at_us.is_not(None), _one.pause_reason != REQUESTED
        )
        return await _SCHEDULES.all(tx, statement.order_by(_one.paused_at_us.desc()).limit(limit))

    async def list_failed(
        self, tx: Transaction, viewer: Viewer | None, failures: int, limit: int
    ) -> Sequence[FailedSchedule]:
        """Return the active schedules before whose last job at least so many jobs in a row failed, those that the
        viewer may see or those of all tenants, in the order of their ids."""
        seen = () if viewer is None else visible(job_schedules, viewer)
        statement = _FAILED.select().where(*seen, _one.due_at_us.is_not(None), _one.failures >= failures)
        return await _FAILED.all(tx, statement.order_by(_one.id).limit(limit))

    async def count_stopped(self, tx: Transaction) -> int:
        """Return the number of schedules of all tenants that the service has paused."""
        statement = select(func.count()).select_from(job_schedules)
        stopped = statement.where(_one.paused_at_us.is_not(None), _one.pause_reason != REQUESTED)
        return int((await tx.execute(stopped)).scalar())

    async def earliest_next_us(self, tx: Transaction) -> int | None:
        """Return the earliest time of the active schedules that was not handled yet; it may be in the future. None: no
        schedule is active. Not by `due_at_us`, which grows with each attempt that is delayed."""
        found = (await tx.execute(select(func.min(_one.next_at_us)).where(_one.due_at_us.is_not(None)))).scalar()
        return None if found is None else int(found)

    async def lock_due(self, tx: Transaction, now_us: int) -> Schedule | None:
        """Lock the schedule that has been due longest and that no other transaction has locked, and return it; None if
        there is none."""
        statement = _SCHEDULES.select().where(_one.due_at_us.is_not(None), _one.due_at_us <= now_us)
        first = statement.order_by(_one.due_at_us).limit(1)
        return await _SCHEDULES.first(tx, first.with_for_update(skip_locked=True))

    async def replace(self, tx: Transaction, schedule: Schedule) -> None:
        """Write a schedule that `tx` has locked."""
        await tx.execute(update(job_schedules).where(_one.id == schedule.id).values(_SCHEDULES.values(schedule)))

    async def remove(self, tx: Transaction, schedule_id: str) -> None:
        await tx.execute(delete(job_schedule_runs).where(_run.schedule_id == schedule_id))
        await tx.execute(delete(job_schedules).where(_one.id == schedule_id))

    async def has_run(self, tx: Transaction, schedule_id: str, at_us: int) -> bool:
        """Return whether a time of a schedule was handled already."""
        statement = select(_run.at_us).where(_run.schedule_id == schedule_id, _run.at_us == at_us)
        return (await tx.execute(statement)).scalar() is not None

    async def add_run(self, tx: Transaction, run: Run) -> bool:
        """Add a run, and delete the ones beyond `RUNS_KEPT`. Return False if the time has a run already."""
        if not await _RUNS.add(tx, run):
            return False
        ours = _run.schedule_id == run.schedule_id
        beyond = select(_run.at_us).where(ours).order_by(_run.at_us.desc()).offset(RUNS_KEPT).limit(1)
        oldest = (await tx.execute(beyond)).scalar()
        if oldest is not None:
            await tx.execute(delete(job_schedule_runs).where(ours, _run.at_us <= oldest))
        return True

    async def runs(self, tx: Transaction, schedule_id: str, limit: int) -> Sequence[Run]:
        """Return the runs of a schedule, newest first."""
        statement = _RUNS.select().where(_run.schedule_id == schedule_id).order_by(_run.at_us.desc()).limit(limit)
        return await _RUNS.all(tx, statement)
