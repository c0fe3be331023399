"""A worker runs the steps of jobs: each effect once, also after errors, kills, cancellations and stops."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from cloud.foundation.db import Database, DatabaseUnavailable
from cloud.foundation.objects import Download, Result, Results, StoredObject
from cloud.work.jobs import Advance, Finish, JobError, JobResult, JobStatus, RunningJob
from cloud.work.jobs.execution import ATTEMPTS_MAX, LEASE_US, RETRY_FIRST_US, UNKNOWN_KIND_US, retry_delay_us
from cloud.work.jobs.store import CLEANUP_DELAY_US
from cloud.work.jobs.worker import JobWorker
from tests.builders.counting_jobs import Counting, CountPayload, CountState
from tests.builders.job_story import JobStory
from tests.builders.parts import sweep_once
from tests.builders.statement_count import EndingDatabase
from tests.harness.eventually import eventually

Running = RunningJob[CountPayload, CountState]
DAY_US = 86_400_000_000


@pytest.fixture
def story(database: Database) -> JobStory:
    return JobStory(database)


@asynccontextmanager
async def running(*workers: JobWorker) -> AsyncIterator[None]:
    """Run these workers during the block; then stop them and wait for their end."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for worker in workers:
            tasks.create_task(worker.run(stopping))
        try:
            yield
        finally:
            stopping.set()


class Gated(Counting):
    """Counting that waits in each step until `gate` is set. `begun` are the numbers whose steps have begun."""

    def __init__(self, story: JobStory) -> None:
        super().__init__(story.clock)
        self.gate = asyncio.Event()
        self.begun: list[int] = []
        self.cancelled: list[str] = []
        self.discarded: list[Running] = []

    async def step(self, job: Running) -> Advance[CountState] | Finish:
        self.begun.append(job.state.counted + 1)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(job.id)
            raise
        return await super().step(job)

    async def discard(self, job: Running) -> None:
        self.discarded.append(job)


class Lingering(Gated):
    """Gated counting whose cancelled step ends when `leave` is set."""

    def __init__(self, story: JobStory) -> None:
        super().__init__(story)
        self.leave = asyncio.Event()
        self.left = False

    async def step(self, job: Running) -> Advance[CountState] | Finish:
        try:
            return await super().step(job)
        except asyncio.CancelledError:
            await asyncio.wait_for(self.leave.wait(), 60)
            self.left = True
            raise


class Failing(Counting):
    """Counting whose step `at` raises `error` the first `times` times."""

    def __init__(self, story: JobStory, at: int, times: int, error: Callable[[], Exception]) -> None:
        super().__init__(story.clock)
        self._at, self._left, self._error = at, times, error

    async def step(self, job: Running) -> Advance[CountState] | Finish:
        if self._left and job.state.counted + 1 == self._at:
            self._left -= 1
            raise self._error()
        return await super().step(job)


class Undiscardable(Counting):
    """Counting whose clean-up fails until `is_discardable`."""

    is_discardable = False

    async def discard(self, job: Running) -> None:
        if not self.is_discardable:
            raise DatabaseUnavailable


@pytest.mark.contract("C-171", "A-085")
async def test_job_runs_all_steps_and_succeeds_with_its_result(story: JobStory):
    (job_id,) = await story.count_up_to(3)
    assert await story.worker.step() == 1
    job = await story.find(job_id)
    assert (job.status, job.progress_pct, job.completed_at_us) == (JobStatus.SUCCEEDED, 100, story.clock.now_us())
    assert job.result == JobResult(f"results/{job_id}.json", "application/json", 2)
    assert job.result_expires_at_us == story.clock.now_us() + 30 * DAY_US
    assert await story.counted() == [f"{job_id}/{what}" for what in (1, 2, 3, "end")]
    assert story.ended == [job]


async def test_job_that_cannot_succeed_fails_at_once_with_the_reason_of_its_kind(story: JobStory):
    (job_id,) = await story.enqueue(payload='{"until":5,"fails_at":3}')
    await story.worker.step()
    job = await story.find(job_id)
    assert (job.status, job.progress_pct) == (JobStatus.FAILED, 40)
    assert job.error == JobError("number_refused", "The number 3 cannot be counted.", retryable=False)
    assert [one.id for one in story.ended] == [job_id]


async def test_step_that_fails_is_retried_after_growing_pauses_from_the_stored_state(database: Database):
    story = JobStory(database)
    story.worker = story.another_worker(Failing(story, at=2, times=2, error=lambda: DatabaseUnavailable()))
    (job_id,) = await story.count_up_to(3)
    await story.worker.step()
    assert (await story.find(job_id)).status is JobStatus.RUNNING
    assert await story.later(RETRY_FIRST_US - 1) == 0
    assert await story.later(1) == 1
    assert await story.later(retry_delay_us(2)) == 1
    assert (await story.find(job_id)).status is JobStatus.SUCCEEDED
    assert await story.counted() == [f"{job_id}/{what}" for what in (1, 2, 3, "end")]


@pytest.mark.contract("C-165")
async def test_job_fails_without_the_text_of_the_exception_after_the_last_attempt_of_a_step(database: Database):
    story = JobStory(database)
    story.worker = story.another_worker(Failing(story, at=1, times=100, error=lambda: ValueError("secret text")))
    (job_id,) = await story.count_up_to(3)
    claims = await story.worker.step()
    for _ in range(ATTEMPTS_MAX):
        claims += await story.later(retry_delay_us(ATTEMPTS_MAX))
    job = await story.find(job_id)
    assert (claims, job.status) == (ATTEMPTS_MAX, JobStatus.FAILED)
    assert job.error is not None
    assert (job.error.code, job.error.retryable, "secret" in job.error.message) == ("internal_error", True, False)


@pytest.mark.contract("S-138")
async def test_job_whose_workers_are_killed_in_its_first_step_fails_after_the_last_attempt(story: JobStory):
    (job_id,) = await story.count_up_to(3)
    for _ in range(ATTEMPTS_MAX):
        await story.claim_one()
        story.clock.advance(us=LEASE_US)
        assert await story.sweep() == 1
    await story.worker.step()
    job = await story.find(job_id)
    assert job.error is not None
    assert (job.status, job.error.code, await story.counted()) == (JobStatus.FAILED, "worker_lost", [])


async def test_each_effect_is_made_once_when_any_statement_of_the_worker_is_interrupted(story: JobStory):
    expected, at = [], 0
    while True:
        at += 1
        (job_id,) = await story.count_up_to(2)
        expected += [f"{job_id}/{what}" for what in (1, 2, "end")]

        def interrupt() -> None:
            raise ConnectionResetError

        ending = EndingDatabase(story.database, at, interrupt)
        try:
            await story.another_worker(database=ending).step()
        except* ConnectionResetError:
            pass
        interrupted = ending.statements >= at
        for _ in range(ATTEMPTS_MAX):
            await story.later(max(LEASE_US, retry_delay_us(ATTEMPTS_MAX)))
        assert (await story.find(job_id)).status is JobStatus.SUCCEEDED
        if not interrupted:
            break
    assert at > 4
    assert await story.counted() == expected
    assert len({job.id for job in story.ended}) == at


@pytest.mark.contract("A-076", "C-174")
async def test_cancelled_job_stops_in_its_step_and_runs_no_other(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work)
    (job_id,) = await story.count_up_to(3)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        assert await story.cancel(job_id) is not None
        worker.signal(job_id)
        work.gate.set()
        (other_id,) = await story.count_up_to(1)
        worker.signal("")
        await eventually(lambda: [job.id for job in story.ended] == [other_id])
    assert (await story.find(job_id)).status is JobStatus.CANCELLED
    assert await story.counted() == [f"{other_id}/1", f"{other_id}/end"]


async def test_renewal_stops_a_job_that_was_cancelled_by_another_process(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work)
    (job_id,) = await story.count_up_to(3)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        await story.cancel(job_id)
        await worker.renew()
        (other_id,) = await story.count_up_to(1)
        work.gate.set()
        worker.signal("")
        await eventually(lambda: [job.id for job in story.ended] == [other_id])
    assert [one for one in await story.counted() if one.startswith(job_id)] == []


async def test_worker_notices_a_cancellation_without_a_signal(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work)
    (job_id,) = await story.count_up_to(3)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        await story.cancel(job_id)
        story.clock.advance(us=1_000_000)
        await eventually(lambda: work.cancelled == [job_id])


async def test_renewal_keeps_a_job_beyond_the_length_of_its_lease(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work)
    (job_id,) = await story.count_up_to(1)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        for _ in range(4):
            story.clock.advance(us=LEASE_US // 2)
            await worker.renew()
            assert await story.another_worker().step() == 0
        work.gate.set()
        await eventually(lambda: story.ended)
    assert await story.counted() == [f"{job_id}/1", f"{job_id}/end"]


@pytest.mark.contract("S-138")
async def test_worker_claims_its_expired_job_again_before_the_old_step_has_ended(story: JobStory):
    work = Lingering(story)
    worker = story.another_worker(work)
    (job_id,) = await story.count_up_to(1)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        story.clock.advance(us=LEASE_US)  # as after a pause of the machine, in which nothing renewed the lease
        await eventually(lambda: work.begun == [1, 1] and work.cancelled == [job_id])
        work.leave.set()
        await eventually(lambda: work.left)
        work.gate.set()
        await eventually(lambda: [job.id for job in story.ended] == [job_id])
        (other_id,) = await story.count_up_to(1)
        worker.signal("")
        await eventually(lambda: len(story.ended) == 2)
    assert await story.counted() == [f"{one}/{what}" for one in (job_id, other_id) for what in (1, "end")]


@pytest.mark.contract("A-076")
async def test_cancellation_reaches_the_job_that_was_claimed_again(story: JobStory):
    work = Lingering(story)
    worker = story.another_worker(work)
    (job_id,) = await story.count_up_to(1)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        story.clock.advance(us=LEASE_US)
        await eventually(lambda: work.begun == [1, 1])
        work.leave.set()
        await eventually(lambda: work.left)
        await story.cancel(job_id)
        worker.signal(job_id)
        await eventually(lambda: work.cancelled == [job_id, job_id])


async def test_state_of_a_job_stays_until_it_has_succeeded(story: JobStory):
    (job_id,) = await story.count_up_to(3)
    leased = await story.claim_one()
    await story.save(leased, '{"counted":2}', 66)
    await story.settle(leased, JobStatus.RUNNING, due_at_us=story.clock.now_us())
    assert await story.state_of(job_id) == '{"counted":2}'
    await story.worker.step()
    assert (await story.find(job_id)).status is JobStatus.SUCCEEDED
    assert await story.state_of(job_id) is None


async def test_state_of_a_failed_job_stays_until_its_clean_up_has_succeeded(database: Database):
    story = JobStory(database)
    work = Undiscardable(story.clock)
    story.worker = story.another_worker(work)
    (job_id,) = await story.enqueue(payload='{"fails_at":2}')
    await story.worker.step()
    assert await story.state_of(job_id) == '{"counted":1}'
    work.is_discardable = True
    await story.later(RETRY_FIRST_US)
    assert await story.state_of(job_id) is None


async def test_job_that_fails_or_is_cancelled_after_a_step_is_cleaned_up_once(story: JobStory):
    work = Gated(story)
    work.gate.set()
    story.worker = story.another_worker(work)
    (failed_id,) = await story.enqueue(payload='{"fails_at":2}')
    await story.worker.step()
    (cancelled_id,) = await story.count_up_to(3)
    leased = await story.claim_one()
    await story.save(leased, '{"counted":2}', 66)
    await story.cancel(cancelled_id)
    await story.later(CLEANUP_DELAY_US)
    await story.later(CLEANUP_DELAY_US)
    assert [(job.id, job.state.counted) for job in work.discarded] == [(failed_id, 1), (cancelled_id, 2)]
    assert [await story.state_of(job_id) for job_id in (failed_id, cancelled_id)] == [None, None]
    assert (await story.find(cancelled_id)).updated_at_us == story.clock.now_us() - 2 * CLEANUP_DELAY_US


async def test_stop_finishes_the_current_step_and_gives_the_job_back_with_its_state(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work)
    (job_id,) = await story.count_up_to(3)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(worker.run(stopping))
        await eventually(lambda: work.begun == [1])
        stopping.set()
        work.gate.set()
    job = await story.find(job_id)
    assert (job.status, job.progress_pct, await story.counted()) == (JobStatus.RUNNING, 33, [f"{job_id}/1"])
    assert await story.worker.step() == 1  # at once, before the end of a lease
    assert await story.counted() == [f"{job_id}/{what}" for what in (1, 2, 3, "end")]


async def test_stop_cancels_a_step_that_does_not_end_and_gives_the_job_back(
    story: JobStory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloud.work.jobs.worker.DRAIN_S", 0.01)
    work = Gated(story)
    worker = story.another_worker(work)
    await story.count_up_to(1)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
    leased = await story.claim_one()
    assert (leased.attempts, await story.counted()) == (1, [])


async def test_stop_in_a_later_step_does_not_count_the_attempts_of_the_earlier_ones(
    story: JobStory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloud.work.jobs.worker.DRAIN_S", 0.01)
    work = Gated(story)
    worker = story.another_worker(work)
    await story.count_up_to(3)
    for _ in range(ATTEMPTS_MAX - 1):
        await story.claim_one()
        story.clock.advance(us=LEASE_US)
        await story.sweep()
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        work.gate.set()
        work.gate.clear()
        await eventually(lambda: work.begun == [1, 2])
    leased = await story.claim_one()
    assert (leased.attempts, len(await story.counted())) == (1, 1)


async def test_job_of_an_unknown_kind_waits_for_a_worker_that_knows_it(story: JobStory):
    (job_id,) = await story.enqueue(kind="test.newer")
    assert await story.worker.step() == 1
    assert (await story.find(job_id)).is_open
    assert await story.later(UNKNOWN_KIND_US - 1) == 0
    assert await story.later(1) == 1


async def test_job_with_an_unreadable_payload_fails_without_a_step(story: JobStory):
    (job_id,) = await story.enqueue(payload='{"until":"many"}')
    await story.worker.step()
    job = await story.find(job_id)
    assert (job.status, job.error_code, await story.counted()) == (JobStatus.FAILED, "job_unreadable", [])


@pytest.mark.contract("S-147")
async def test_only_job_of_a_tenant_is_claimed_beside_the_long_queue_of_another(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work, slots=4)
    await story.count_up_to(1, count=50)
    async with running(worker):
        await eventually(lambda: len(work.begun) == 3)  # a slot is left to other tenants
        (job_id,) = await story.count_up_to(1, tenant_id="tnt_b")
        worker.signal("")
        await eventually(lambda: len(work.begun) == 4)
        assert (await story.find(job_id, "tnt_b")).status is JobStatus.RUNNING
        work.gate.set()
        await eventually(lambda: len(story.ended) == 51)


@pytest.mark.contract("S-147")
async def test_job_gives_up_its_slot_after_a_step_to_a_tenant_without_a_running_job(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work, slots=1)
    (long_id,) = await story.count_up_to(3)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        (job_id,) = await story.count_up_to(1, tenant_id="tnt_b")
        worker.signal("")
        await eventually(lambda: worker.starving == {"tnt_b"})
        story.clock.advance(us=2_000_000)
        work.gate.set()
        await eventually(lambda: len(story.ended) == 2)
    assert [job.id for job in story.ended] == [job_id, long_id]
    assert await story.counted() == [
        *(f"{long_id}/1", f"{job_id}/1", f"{job_id}/end"),
        *(f"{long_id}/{what}" for what in (2, 3, "end")),
    ]


@pytest.mark.contract("C-171", "S-145")
async def test_result_is_released_when_its_retention_is_over_and_the_record_of_the_job_stays(story: JobStory):
    (job_id,) = await story.count_up_to(1)
    await story.worker.step()
    expires_at_us = story.clock.now_us() + 30 * DAY_US
    object_name = f"results/{job_id}.json"
    stored = StoredObject(object_name, 2, bytes(32))
    result = Result(job_id, "tnt_a", stored, Download("application/json", "counted.json"))
    async with story.database.transaction() as tx:
        await Results().keep(tx, result, story.clock.now_us())
    story.clock.advance(us=30 * DAY_US - 1)
    assert await sweep_once(story.database, story.clock, "job_results") == 0
    story.clock.advance(us=1)
    assert await sweep_once(story.database, story.clock, "job_results") == 1
    job = await story.find(job_id)
    assert (job.status, job.result, job.result_expires_at_us) == (JobStatus.SUCCEEDED, None, expires_at_us)
    async with story.database.read() as tx:
        assert await Results().unused(tx, 10) == [object_name]
    assert await sweep_once(story.database, story.clock, "job_results") == 0
