"""A process with one job worker, whose jobs sleep for some time in each step.

    python -m tests.harness.job_worker DATABASE_URL SLOTS STEP_S

It prints the line `up` when it runs and `stopped JOB` when the step of a cancelled job has ended, and ends after
SIGTERM.
"""

import asyncio
import signal
import sys

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import open_database
from cloud.work.jobs import Advance, Finish, RunningJob
from cloud.work.jobs.ending import ends_of
from cloud.work.jobs.execution import JobExecutor
from cloud.work.jobs.worker import JobWorker
from tests.builders.counting_jobs import KINDS, Counting, CountPayload, CountState
from tests.builders.parts import make_parts


class Sleeping(Counting):
    """Counting whose steps take `step_s` seconds."""

    def __init__(self, step_s: float) -> None:
        super().__init__(SystemClock())
        self._step_s = step_s

    async def step(self, job: RunningJob[CountPayload, CountState]) -> Advance[CountState] | Finish:
        try:
            await asyncio.sleep(self._step_s)
        except asyncio.CancelledError:
            print(f"stopped {job.id}", flush=True)
            raise
        return await super().step(job)


async def live(url: str, slots: int, step_s: float) -> None:
    database = await open_database(url)
    kinds = {kind.name: kind for kind in KINDS}
    work, listeners = Sleeping(step_s), [ends_of(make_parts(database)).report]
    executor = JobExecutor(database, SystemClock(), kinds, lambda kind: work, listeners, result_days=30)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    print("up", flush=True)
    await JobWorker(database, SystemClock(), executor, slots).run(stopping)
    await database.close()


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
