"""A worker that is killed while it starts the job of a schedule: each time starts one job, and windows have no gap.

`make soak` kills at each step of the transaction, `make test` at some.
"""

import asyncio
import os
import sys

from sqlalchemy import func, select

from cloud.foundation.db import Database
from cloud.work.jobs.tables import jobs
from cloud.work.schedules.tables import job_schedule_runs
from tests.harness.databases import database, database_url, migrated_sqlite, postgresql

__all__ = ["database", "database_url", "migrated_sqlite", "postgresql"]

STRIDE = 1 if os.environ.get("ARGUS_SOAK") == "1" else 7
STEPS_LEAST = 10


async def test_worker_killed_at_any_step_starts_one_job_for_each_time(database: Database, database_url: str):
    words = (sys.executable, "-m", "tests.harness.schedule_victim", database_url, str(STRIDE))
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 280)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    killed = int(output.split()[-1])
    assert killed >= STEPS_LEAST // STRIDE
    runs = job_schedule_runs.c
    async with database.read() as tx:
        statement = select(runs.job_id, runs.since_us, runs.until_us, runs.missed).order_by(runs.at_us)
        started = (await tx.execute(statement)).rows
        assert (await tx.execute(select(func.count()).select_from(jobs))).scalar() == len(started)
    assert len({row.job_id for row in started}) == len(started) == killed + 1, "a job for each day"
    assert [row.since_us for row in started[1:]] == [row.until_us for row in started[:-1]]
    assert {row.missed for row in started} == {0}
