"""A process whose children run jobs and are killed, each at another step of the worker.

    python -m tests.harness.job_victim DATABASE_URL STRIDE

A step is the begin of a transaction, a statement of it, or its commit. The children are killed at step STRIDE, 2 x
STRIDE and so on, each with a job of its own, until a child ends before its step. After each kill another child finishes
the job, with a clock that is set forward by more than a lease. The process prints the number of children that died by
SIGKILL. A child is a fork, which needs no new start of Python.
"""

import asyncio
import signal
import sys

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.db import open_database
from cloud.work.jobs import JobStore
from cloud.work.jobs.ending import ends_of
from cloud.work.jobs.execution import LEASE_US, JobExecutor
from cloud.work.jobs.worker import JobWorker
from tests.builders.cloud_people import NOON_US
from tests.builders.counting_jobs import KINDS, Counting
from tests.builders.job_rows import new_job
from tests.builders.parts import make_parts
from tests.harness.forked_child import run_forked
from tests.harness.placed_database import PlacedDatabase
from tests.harness.steps import Steps
from tests.harness.webhook_victim import LaterClock

UNTIL = 2
"""The number up to which a job counts: a first step, a last one, and an end with an effect."""


async def enqueue(url: str, number: int) -> None:
    database = await open_database(url)
    try:
        new = new_job(f"job_{number}", payload=f'{{"until":{UNTIL}}}')
        async with database.transaction() as tx:
            await JobStore().enqueue(tx, [new], NOON_US)
    finally:
        await database.close()


async def work(url: str, ahead_us: int, steps: Steps) -> None:
    """Run the jobs that are due at a time that is `ahead_us` later than now."""
    database = await open_database(url)
    try:
        stepped, clock = PlacedDatabase(database, steps.in_database), LaterClock(ahead_us)
        kinds = {kind.name: kind for kind in KINDS}
        ends = ends_of(make_parts(stepped, clock))  # type: ignore[arg-type]
        executor = JobExecutor(stepped, clock, kinds, lambda kind: Counting(clock), [ends.report], result_days=30)
        await JobWorker(stepped, clock, executor, slots=1).step()
    finally:
        await database.close()


def run_child(url: str, ahead_us: int, killed_at: int) -> int:
    """Run one child; return its exit status."""
    return run_forked(lambda: work(url, ahead_us, Steps(killed_at)))


def main(url: str, stride: int) -> int:
    killed = 0
    while True:
        asyncio.run(enqueue(url, killed))
        status = run_child(url, 2 * killed * 2 * LEASE_US, (killed + 1) * stride)
        assert status in (0, -signal.SIGKILL), f"a child ended with {status}"
        if status == 0:
            return killed
        killed += 1
        assert run_child(url, (2 * killed - 1) * 2 * LEASE_US, 0) == 0


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
