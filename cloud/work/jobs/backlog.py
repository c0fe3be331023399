"""The backlog of jobs, as metrics and as findings of `doctor`."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.findings import Finding, Level
from cloud.foundation.observability import JOB_LATE_SECONDS, JOBS_RUNNING, JOBS_WAITING, Metrics, Sampler
from cloud.work.jobs.kind import job_kinds
from cloud.work.jobs.tables import jobs

SECOND_US = 1_000_000
LATE_S = 600
"""Seconds for which a job may be due before `doctor` warns: longer than a drain, an upgrade and a burst together."""

_jobs = jobs.c


@dataclass(frozen=True, slots=True)
class Backlog:
    """The jobs that no worker has (`waiting`), those that a worker has (`running`), and the seconds for which the job
    that is due longest has been due."""

    waiting: int
    running: int
    late_s: float


async def read_backlog(tx: Transaction, now_us: int) -> Backlog:
    """Count the open jobs. The queries read the partial indexes of the open jobs only."""
    waiting = select(func.count(), func.min(_jobs.due_at_us)).where(_jobs.due_at_us.is_not(None))
    running = select(func.count()).where(_jobs.lease_until_us.is_not(None)).select_from(jobs)
    row = (await tx.execute(waiting.select_from(jobs))).first()
    assert row is not None
    late_us = 0 if row[1] is None else max(0, now_us - int(row[1]))
    return Backlog(int(row[0]), int((await tx.execute(running)).scalar()), late_us / SECOND_US)


def jobs_sampler(database: Database, clock: Clock) -> Sampler:
    """Return the function that sets the metrics of the backlog at each scrape."""

    async def sample(metrics: Metrics) -> None:
        async with database.read() as tx:
            found = await read_backlog(tx, clock.now_us())
        metrics.set(JOBS_WAITING, found.waiting)
        metrics.set(JOBS_RUNNING, found.running)
        metrics.set(JOB_LATE_SECONDS, found.late_s)

    return sample


async def job_findings(database: Database, clock: Clock) -> Sequence[Finding]:
    """Return what `doctor` reports about jobs."""
    async with database.read() as tx:
        found = await read_backlog(tx, clock.now_us())
        unknown = select(_jobs.kind).where(_jobs.due_at_us.is_not(None), _jobs.kind.not_in(list(job_kinds()))).limit(1)
        kind = (await tx.execute(unknown)).scalar()
    if kind is not None:
        sentence = f"Jobs of the kind {kind} are queued, which this version does not know; upgrade the workers."
        return [Finding("jobs", Level.WARNING, sentence)]
    if found.late_s > LATE_S:
        sentence = (
            f"{found.waiting} jobs are queued, one of them for {found.late_s / 60:.0f} minutes; does a process with "
            "the worker role run? If it does, raise [jobs] slots or start another one."
        )
        return [Finding("jobs", Level.WARNING, sentence)]
    return [Finding("jobs", Level.OK, f"{found.waiting} jobs are queued, {found.running} run.")]
