"""Schedules of the app `app_north`, which the operator has entitled, with a clock that the test moves."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from cloud.access.apps import Apps
from cloud.access.apps import Wanted as WantedApp
from cloud.access.audit import Audit
from cloud.foundation.db import Database
from cloud.foundation.moments import read_moment, write_moment
from cloud.foundation.objects import Results, object_store_of
from cloud.work.jobs import Job, JobStatus, service_of
from cloud.work.jobs.running import worker_of
from cloud.work.jobs.tables import jobs
from cloud.work.schedules import SCHEDULE, NewSchedule, Run, Schedule, schedules_of
from cloud.work.schedules.starting import ScheduleStarter
from tests.builders.cloud_people import HandClock, Household, household
from tests.builders.job_rows import JobRows
from tests.builders.parts import make_parts

READ = "argus:epcr:read"
SCOPES = (READ, "argus:jobs:write", SCHEDULE)
DAILY = NewSchedule(
    client_id="app_north",
    name="Nightly export",
    kind="export.bulk",
    payload={"data": "encounters", "format": "ndjson"},
    cron="0 3 * * *",
    time_zone="Europe/Warsaw",
    delay_hours=0,
)
"""Every day at 3:00 in Warsaw, which is an hour ahead of UTC, with windows that end then. The clock begins on
2026-03-24, 12:00 UTC."""


class ScheduleDesk:
    """The service of schedules, the chore of a worker that starts their jobs, and the tenants `north` and `south`."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.clock = HandClock()
        self.parts = make_parts(database, self.clock, sections={"objects_dir": str(folder)})  # type: ignore[dict-item]
        self.apps = Apps(database, self.clock, self.parts.ids)
        self.schedules = self.parts.shared(schedules_of)
        self.rows = JobRows(database, self.clock)
        self.home: Household

    async def begin(self) -> "ScheduleDesk":
        self.home = await household(self.database, self.clock)
        await household(self.database, self.clock, name="south")
        await self.apps.entitle(self.home.operator, [SCHEDULE])
        await self.register("app_north", *SCOPES)
        return self

    async def register(self, client_id: str, *scopes: str, **values: Any) -> None:
        wanted = WantedApp(
            name=client_id, scopes=scopes, client_id=client_id, organization_id=self.home.organization.id, **values
        )
        await self.apps.register(self.home.operator, wanted, by_operator=True)

    async def add(self, **values: Any) -> Schedule:
        """Add a schedule as the operator; `values` replace those of `DAILY`."""
        return await self.schedules.add(self.home.operator, replace(DAILY, **values))

    def starter(self) -> ScheduleStarter:
        """Return the starter of a worker process."""
        return ScheduleStarter(self.clock, self.parts.shared(service_of))

    def move_to(self, moment: str) -> None:
        """Set the clock to a time such as `2026-03-25T02:01:00Z`."""
        self.clock.advance(us=read_moment(moment) - self.clock.now_us())

    async def start_due(self, moment: str) -> int:
        """Set the clock, and handle the schedules that are due then; return their number."""
        self.move_to(moment)
        count = 0
        while await self.start_next():
            count += 1
        return count

    async def start_next(self) -> int:
        async with self.database.transaction() as tx:
            return await self.starter().start_next(tx, self.clock.now_us())

    async def end_job(self, status: JobStatus = JobStatus.SUCCEEDED) -> None:
        """Let a worker claim the oldest queued job, and end it."""
        await self.rows.settle(await self.rows.claim_one("tnt_north"), status)

    async def work(self) -> None:
        """Let a real worker run the queued jobs to their ends."""
        while await self.parts.shared(worker_of).step():
            pass

    async def jobs(self) -> Sequence[Job]:
        """Return all jobs of the tenant, oldest first."""
        async with self.database.read() as tx:
            ids = [row.id for row in await tx.execute(select(jobs.c.id).order_by(jobs.c.created_at_us, jobs.c.id))]
        return [await self.rows.find(job_id, "tnt_north") for job_id in ids]

    async def file(self, job: Job) -> str:
        """Return the result of a job."""
        async with self.database.read() as tx:
            result = await Results().find(tx, job.id)
        objects = object_store_of(self.parts.settings)
        assert result is not None
        assert objects is not None
        return (await objects.read(result.stored)).decode()

    async def find(self, schedule: Schedule) -> Schedule:
        return (await self.schedules.find(self.home.operator, schedule.id))[0]

    async def runs(self, schedule: Schedule) -> Sequence[Run]:
        """Return the runs of a schedule, oldest first."""
        return (await self.schedules.find(self.home.operator, schedule.id))[1][::-1]

    async def windows(self, schedule: Schedule) -> list[tuple[str | None, str | None]]:
        """Return the windows of the jobs that a schedule has started, each as `day hour:minute` of its ends."""
        return [(_short(run.since_us), _short(run.until_us)) for run in await self.runs(schedule) if run.job_id]

    async def trail(self, action: str) -> list[tuple[str, Any]]:
        """Return the actor and the metadata of the audit entries of an action, newest first."""
        async with self.database.read() as tx:
            found = await Audit(self.clock).list(tx, self.home.operator, action=action)
        return [(entry.actor, entry.metadata) for entry in found]


def _short(at_us: int | None) -> str | None:
    text = write_moment(at_us)
    return None if text is None else f"{text[8:10]} {text[11:16]}"
