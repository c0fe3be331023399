"""A worker runs the steps of a job: each effect once, also after an interruption, and a failure has its reason."""

import asyncio

import pytest

from cloud.foundation.db import Database, DatabaseUnavailable
from cloud.work.jobs import Finish, JobError, JobResult, JobStatus
from cloud.work.jobs.execution import ATTEMPTS_MAX, LEASE_US, OTHER_RELEASE_US, RETRY_FIRST_US, retry_delay_us
from tests.builders.counting_jobs import Counting
from tests.builders.job_story import JobStory
from tests.builders.job_works import Failing, Gated, Running, running
from tests.builders.statement_count import EndingDatabase
from tests.harness.eventually import eventually

DAY_US = 86_400_000_000


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


async def test_job_of_an_unknown_kind_waits_for_a_worker_that_knows_it(story: JobStory):
    (job_id,) = await story.enqueue(kind="test.newer")
    assert await story.worker.step() == 1
    assert (await story.find(job_id)).is_open
    assert await story.later(OTHER_RELEASE_US - 1) == 0
    assert await story.later(1) == 1


async def test_job_with_an_unreadable_payload_waits_for_a_worker_that_can_read_it(story: JobStory):
    (job_id,) = await story.enqueue(payload='{"until":"many"}')
    assert await story.worker.step() == 1
    assert (await story.find(job_id)).is_open
    assert await story.later(OTHER_RELEASE_US - 1) == 0
    story.clock.advance(us=1)
    assert await story.settle(await story.claim_one())


async def test_unreadable_payload_or_state_fails_the_job_after_the_last_attempt(story: JobStory):
    stored = await story.count_up_to(1)
    leased = await story.claim_one()
    await story.save(leased, '{"counted":"many"}')
    await story.settle(leased, JobStatus.RUNNING, due_at_us=story.clock.now_us())
    ids = [*stored, *await story.enqueue(payload='{"until":"many"}')]
    for _ in range(ATTEMPTS_MAX - 1):
        assert await story.later(OTHER_RELEASE_US) == len(ids)
    assert [(await story.find(job_id)).is_open for job_id in ids] == [True, True]
    await story.later(OTHER_RELEASE_US)
    jobs = [await story.find(job_id) for job_id in ids]
    assert [(job.status, job.error_code) for job in jobs] == [(JobStatus.FAILED, "job_unreadable")] * 2
    assert await story.counted() == []


async def test_jobs_that_never_wait_share_a_task(story: JobStory):
    tasks = list[object]()

    class Noting(Counting):
        async def step(self, job: Running) -> Finish:
            tasks.append(asyncio.current_task())
            return Finish()

    await story.enqueue(3)
    assert await story.another_worker(Noting(story.clock), slots=5).step() == 3
    assert (len(tasks), len(set(tasks))) == (3, 1)


async def test_step_that_hangs_is_cancelled_after_the_longest_time_and_retried(
    story: JobStory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloud.work.jobs.execution.STEP_S_MAX", 20.0)  # shorter than a lease
    work = Gated(story)
    worker = story.another_worker(work)
    (job_id,) = await story.count_up_to(1)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        story.clock.advance(us=20_000_000)
        await worker.renew()
        assert work.cancelled == []
        story.clock.advance(us=1_000_000)
        await worker.renew()
        await eventually(lambda: work.cancelled == [job_id])
        await eventually(lambda: worker.settled == 1)
        work.gate.set()
        story.clock.advance(us=RETRY_FIRST_US)
        worker.signal("")
        await eventually(lambda: [job.status for job in story.ended] == [JobStatus.SUCCEEDED])
