"""Run one claimed job step by step, and store the state after each step.

The state, the progress and the effect of a step are written in one transaction under the fencing token. A worker that
has lost the lease therefore changes nothing, and a step whose worker was killed has either its whole effect or none.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import structlog
from pydantic import BaseModel, ValidationError

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.retention import DAY_US
from cloud.foundation.trace import SpanTimer
from cloud.foundation.tracing import Spans, traced
from cloud.work.jobs.errors import JobLeaseLost
from cloud.work.jobs.job_run import JobRun
from cloud.work.jobs.kind import Advance, AnyKind, Effect, Finish, JobFailure, JobWork
from cloud.work.jobs.lease_store import LeaseStore, Settlement
from cloud.work.jobs.model import Job, JobError, JobResult, JobStatus, LeasedJob
from cloud.work.jobs.rights import AppRights

LEASE_US = 30_000_000
"""Three renewals. A short pause of the database loses no lease, and the jobs of a killed worker continue soon."""
ATTEMPTS_MAX = 6
"""Attempts of one step. With the pauses they take ten minutes: longer than the restart of a database, and short for a
tenant that waits for the reason of a failure."""
RETRY_FIRST_US = 1_000_000
RETRY_FACTOR = 4
RETRY_LAST_US = 300_000_000
OTHER_RELEASE_US = 60_000_000
"""Pause of a job of another release, whose kind this program does not know, or whose payload or state it cannot read.
While a new release is installed, processes of two releases run, and the other one may claim the job."""
STATE_BYTES_MAX = 1 << 20
"""Size of a stored state, which is written again after each step."""

STEP_S_MAX = 3600.0
"""Time of one step, after which it is cancelled and counts as failed: a step that hangs does not keep its slot. The
worker looks at intervals, since a timer for each step would take a quarter of the time of a short job."""

EndListener = Callable[[Transaction, Sequence[Job]], Awaitable[None]]
"""Is called in the transaction that ends jobs, with the ended jobs."""

log = structlog.get_logger()


def retry_delay_us(attempts: int) -> int:
    """Return the pause after attempt number `attempts` (from 1): 1 s, four times as long each time, at most 5 min."""
    return int(min(RETRY_FIRST_US * RETRY_FACTOR ** (attempts - 1), RETRY_LAST_US))


class JobExecutor:
    """Runs claimed jobs of the kinds `kinds`; `works` makes the work of a kind. `listeners` are called in the
    transaction that ends a job. Results are kept for `result_days` days. `long_kinds` are the names of the kinds with
    long steps. `spans` records each run of a job, in the trace of the request that started the job."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        kinds: Mapping[str, AnyKind],
        make_work: Callable[[AnyKind], JobWork[Any, Any]],
        listeners: Sequence[EndListener] = (),
        *,
        result_days: int,
        spans: Spans | None = None,
    ) -> None:
        self._spans = spans
        self._database = database
        self._clock = clock
        self._kinds = kinds
        self.long_kinds = tuple(name for name, kind in kinds.items() if kind.has_long_steps)
        self._make_work = make_work
        self._listeners = listeners
        self._result_days = result_days
        self._leases = LeaseStore()
        self._rights = AppRights(database)
        self._works: dict[str, JobWork[Any, Any]] = {}
        self._stepping: set[JobRun] = set()

    def has_long_steps(self, leased: LeasedJob) -> bool:
        return leased.kind in self.long_kinds

    def prepare(self, leased: LeasedJob) -> JobRun:
        """Return the run of a claimed job, to make when the claim is durable."""
        return JobRun(leased, self._kinds.get(leased.kind))

    async def run(self, run: JobRun, task: "asyncio.Task[Any]", must_yield: Callable[[], bool]) -> Settlement | None:
        """Run the steps of a job in `task` until it ends, fails, or `must_yield` returns True after a step. Return the
        settlement to write; None if nothing is left to write, since the job was settled here or its lease is lost."""
        leased = run.leased
        attributes = run.attributes
        name = "job.run" if leased.is_open else "job.clean_up"
        run.task, run.began_s = task, self._clock.monotonic_s()
        self._stepping.add(run)
        try:
            with traced(self._spans, self._clock, leased.tenant_id, name, "consumer", run.trace, attributes):
                settlement = await self._run(run, must_yield)
                if settlement is not None and settlement.error is not None:
                    attributes["error.type"] = settlement.error.code
        finally:
            self._stepping.discard(run)
        return settlement

    async def _run(self, run: JobRun, must_yield: Callable[[], bool]) -> Settlement | None:
        """Run the steps of a job, or the clean-up of one that has ended; return what follows from the steps or from
        their error."""
        leased = run.leased
        if not leased.is_open:
            await self._clean_up(run)
            return None
        if run.kind is None:
            log.warning("job.kind_unknown", job_id=leased.id, kind=leased.kind)
            return release(leased, self._clock.now_us() + OTHER_RELEASE_US)
        if leased.attempts > ATTEMPTS_MAX:
            return self._failed(leased, JobError("worker_lost", "The workers that ran the job ended abnormally.", True))
        try:
            return await self._run_steps(run, run.kind, must_yield)
        except asyncio.CancelledError:
            if not run.is_overdue:
                raise
            return self._retried(run.leased, TimeoutError())
        except JobLeaseLost:
            log.warning("job.lease_lost", job_id=leased.id, kind=leased.kind)
            return None
        except JobFailure as failure:
            return self._failed(run.leased, failure.error)
        except Exception as error:
            return self._retried(run.leased, error)

    def stop_overdue(self) -> None:
        """Cancel the steps that take longer than `STEP_S_MAX`."""
        for run in self._stepping:
            if self._clock.monotonic_s() - run.began_s > STEP_S_MAX:
                run.cancel()

    async def _run_steps(self, run: JobRun, kind: AnyKind, must_yield: Callable[[], bool]) -> Settlement | None:
        try:
            job = run.job
        except (ValidationError, DomainError):
            return self._unreadable(run.leased)
        needed = kind.scopes.of(job.payload)
        if needed:  # a job that needs none reads no data
            await self._rights.check(run.leased, needed)
        work = self._work_of(kind)
        while True:
            with SpanTimer("job.step"):
                outcome = await work.step(job)
            if isinstance(outcome, Finish):
                done = self._succeeded(run.leased, outcome.result)
                if outcome.effect is None:
                    return done
                await self._finish(done, outcome, outcome.effect)
                return None
            progress_pct = min(99, max(run.leased.progress_pct, outcome.progress_pct))
            state = await self._save(run, outcome, progress_pct)
            if must_yield():
                return release(run.leased, run.leased.created_at_us)
            job = replace(job, state=state)
            run.began_s = self._clock.monotonic_s()

    async def _save(self, run: JobRun, outcome: Advance[Any], progress_pct: int) -> BaseModel:
        """Write the state after a step, and its effect; return the state. Raises `JobLeaseLost`."""
        state: BaseModel = outcome.state
        async with self._storing(run.leased, outcome) as tx:
            if outcome.effect is not None:
                await self._leases.hold(tx, run.leased)  # the effect decides the state, which is written once
                state = await outcome.effect(tx) or state
            text, now_us = _dumped(state), self._clock.now_us()
            await self._leases.save(tx, run.leased, text, progress_pct, now_us=now_us, lease_us=LEASE_US)
        run.leased = replace(run.leased, state=text, progress_pct=progress_pct, attempts=1)
        return state

    def _succeeded(self, leased: LeasedJob, result: JobResult | None) -> Settlement:
        if result is None:
            return Settlement(leased, JobStatus.SUCCEEDED)
        expires_at_us = self._clock.now_us() + self._result_days * DAY_US
        return Settlement(leased, JobStatus.SUCCEEDED, result=result, result_expires_at_us=expires_at_us)

    async def _finish(self, done: Settlement, outcome: Finish, effect: Effect) -> None:
        """Write the settlement of a job that has succeeded, together with the effect of its last step. Raises
        `JobLeaseLost`."""
        async with self._storing(done.job, outcome) as tx:
            if not await self.settle_some(tx, [done]):
                raise JobLeaseLost
            await effect(tx)

    @asynccontextmanager
    async def _storing(self, leased: LeasedJob, outcome: Advance[Any] | Finish) -> AsyncIterator[Transaction]:
        """Open the transaction that stores the outcome of a step. If its block fails or is cancelled, undo what the
        step has stored elsewhere for it. After the block the commit may be unknown, so nothing is undone."""
        is_written = False
        try:
            async with self._database.transaction() as tx:
                yield tx
                is_written = True
        except BaseException:
            if outcome.undo is not None and not is_written:
                try:
                    await outcome.undo()
                except DomainError as error:  # the sweep of results removes it a day later
                    log.warning("job.clean_up_failed", job_id=leased.id, kind=leased.kind, why=type(error).__name__)
            raise

    async def settle_all(self, tx: Transaction, settlements: Sequence[Settlement]) -> None:
        """Write settlements and report the jobs that they end, by the end of the transaction. It fails with
        `RowsMissing` if a job is lost, which is rare, so that the reports need not wait for the number of changed
        rows. Then call `settle_some`."""
        if settlements:
            now_us = self._clock.now_us()
            await self._leases.settle_all(tx, settlements, now_us)
            await self._report(tx, settlements, now_us)

    async def settle_some(self, tx: Transaction, settlements: Sequence[Settlement]) -> int:
        """Write settlements and report the jobs that they end, without the jobs that are lost. Return the number of the
        changed jobs."""
        now_us = self._clock.now_us()
        changed = await self._leases.settle_some(tx, settlements, now_us)
        ours = [one for one in settlements if (one.job.id, one.job.lease_token) in changed]
        await self._report(tx, ours, now_us)
        return len(changed)

    async def _report(self, tx: Transaction, settlements: Sequence[Settlement], now_us: int) -> None:
        ended = [ended_job(one, now_us) for one in settlements if one.status is not JobStatus.RUNNING]
        if ended:
            for listener in self._listeners:
                await listener(tx, ended)

    def _failed(self, leased: LeasedJob, error: JobError) -> Settlement:
        """Return the settlement of a failed job. With a stored state, or data that its admission may have stored, it
        becomes due again, for its clean-up."""
        log.warning("job.failed", job_id=leased.id, kind=leased.kind, code=error.code)
        leaves_data = leased.state is not None or self._kinds[leased.kind].admission is not None
        due_at_us = self._clock.now_us() if leaves_data else None
        return Settlement(leased, JobStatus.FAILED, due_at_us=due_at_us, error=error)

    def _unreadable(self, leased: LeasedJob) -> Settlement:
        """Return the settlement of a job that this program cannot read: a pause, or failure after the last attempt. A
        program of the release that wrote the job may no longer run, so the attempts are limited."""
        if leased.attempts >= ATTEMPTS_MAX:
            text = "The job was enqueued by another version of the service, and cannot be read any more."
            return self._failed(leased, JobError("job_unreadable", text, retryable=True))
        log.warning("job.unreadable", job_id=leased.id, kind=leased.kind)
        due_at_us = self._clock.now_us() + OTHER_RELEASE_US
        return Settlement(leased, JobStatus.RUNNING, due_at_us=due_at_us, attempts=leased.attempts)

    def _retried(self, leased: LeasedJob, error: Exception) -> Settlement:
        """Return the settlement of a job after an error that may pass: another attempt, or failure after the last."""
        code = error.code if isinstance(error, DomainError) else "internal_error"
        if leased.attempts >= ATTEMPTS_MAX:
            text = f"The job failed {leased.attempts} times. Try again later."
            return self._failed(leased, JobError(code, text, retryable=True))
        # The text of an exception may quote data of a patient.
        log.warning("job.step_failed", job_id=leased.id, kind=leased.kind, code=code, why=type(error).__name__)
        due_at_us = self._clock.now_us() + retry_delay_us(leased.attempts)
        return Settlement(leased, JobStatus.RUNNING, due_at_us=due_at_us, attempts=leased.attempts)

    async def _clean_up(self, run: JobRun) -> None:
        """Discard what an ended job has left behind, and give up the lease. After an error, and for a job that this
        program cannot read but the other release may, this is repeated a limited number of times."""
        leased, retry_at_us = run.leased, None
        pause_us = await self._discard(run)
        if pause_us is not None and leased.attempts < ATTEMPTS_MAX:
            retry_at_us = self._clock.now_us() + pause_us
        async with self._database.transaction() as tx:
            await self._leases.end_cleanup(tx, leased, retry_at_us)

    async def _discard(self, run: JobRun) -> int | None:
        """Discard what an ended job has left behind. Return the pause before another attempt, None after success."""
        leased, pause_us, why = run.leased, OTHER_RELEASE_US, "kind unknown"
        try:
            if run.kind is not None:
                job = run.job
                pause_us = retry_delay_us(leased.attempts)
                await self._work_of(run.kind).discard(job)
                return None
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and not run.is_overdue:
                raise
            why = type(error).__name__
        log.warning("job.clean_up_failed", job_id=leased.id, kind=leased.kind, why=why)
        return pause_us

    def _work_of(self, kind: AnyKind) -> JobWork[Any, Any]:
        if kind.name not in self._works:
            self._works[kind.name] = self._make_work(kind)
        return self._works[kind.name]


def release(leased: LeasedJob, due_at_us: int) -> Settlement:
    """Return the settlement by which a worker gives a job to any worker, without counting an attempt."""
    return Settlement(leased, JobStatus.RUNNING, due_at_us=due_at_us, attempts=None)


def ended_job(one: Settlement, now_us: int) -> Job:
    """Return a job as it is after the settlement that ended it."""
    job, error, result = one.job, one.error, one.result
    # By position and not by names, which takes twice as long: in the order of the fields.
    return Job(
        job.id,
        job.tenant_id,
        job.organization_id,
        job.client_id,
        job.subject,
        job.kind,
        job.secrecy_level,
        job.traceparent,
        one.status,
        100 if one.status is JobStatus.SUCCEEDED else job.progress_pct,
        job.created_at_us,
        job.callback_url,
        job.trace_id,
        job.started_at_us,
        now_us,  # updated_at_us
        now_us,  # completed_at_us
        None if error is None else error.code,
        None if error is None else error.message,
        None if error is None else error.retryable,
        None if result is None else result.object_name,
        None if result is None else result.media_type,
        None if result is None else result.size_bytes,
        one.result_expires_at_us,
    )


def _dumped(state: BaseModel) -> str:
    text = state.model_dump_json()
    if len(text.encode()) > STATE_BYTES_MAX:
        raise JobFailure("state_too_large", "The job needs more intermediate data than the service stores.")
    return text
