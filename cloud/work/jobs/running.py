"""Build the job worker, its metrics and its chores from the settings."""

import asyncio
from functools import partial
from typing import Any

from cloud.foundation.garbage import tune_garbage_collector
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.process import Process, Role
from cloud.foundation.tracing import spans_of
from cloud.work.jobs.backlog import jobs_sampler
from cloud.work.jobs.ending import ends_of
from cloud.work.jobs.execution import JobExecutor
from cloud.work.jobs.expiry import PayloadExpiry, ResultExpiry
from cloud.work.jobs.kind import AnyKind, JobWork, job_kinds
from cloud.work.jobs.settings import JobsSection
from cloud.work.jobs.signals import bell_of
from cloud.work.jobs.worker import JobWorker


def worker_of(process: Process) -> JobWorker:
    """Create the process's job worker without starting it, and let the bell of the process signal it. Call it as
    `process.shared(worker_of)`."""
    section = process.settings.section(JobsSection)

    def make_work(kind: AnyKind) -> JobWork[Any, Any]:
        return kind.work(process)

    executor = JobExecutor(
        process.database,
        process.clock,
        job_kinds(),
        make_work,
        [process.shared(ends_of).report],
        result_days=section.result_days,
        spans=process.shared(spans_of),
    )
    worker = JobWorker(process.database, process.clock, executor, section.slots)
    process.shared(bell_of).attach(worker.signal)
    return worker


async def _run(worker: JobWorker, stopping: asyncio.Event) -> None:
    tune_garbage_collector()
    await worker.run(stopping)


def jobs(process: Process) -> Jobs:
    loops = []
    if Role.WORKER in process.roles:
        loops.append(Loop("jobs", partial(_run, process.shared(worker_of))))
    return Jobs(
        loops=loops,
        chores=[
            Chore("job_results", ResultExpiry().delete_chunk),
            Chore("job_payloads", PayloadExpiry(process.settings.section(JobsSection).result_days).delete_chunk),
        ],
        samplers=[("jobs", jobs_sampler(process.database, process.clock))],
    )
