"""A worker that is stopped ends its current steps and gives its jobs back at once, with their stored states."""

import asyncio

import pytest

from cloud.work.jobs import Finish, JobStatus
from cloud.work.jobs.execution import ATTEMPTS_MAX, LEASE_US
from tests.builders.counting_jobs import Counting
from tests.builders.job_story import JobStory
from tests.builders.job_works import Gated, Running, running
from tests.harness.eventually import eventually


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


async def test_stop_claims_no_job_of_a_queue_whose_jobs_never_wait(story: JobStory):
    stopping = asyncio.Event()

    class Stopping(Counting):
        async def step(self, job: Running) -> Finish:
            stopping.set()
            return Finish()

    ids = await story.enqueue(40)
    await story.another_worker(Stopping(story.clock), slots=2).run(stopping)
    assert 1 <= len(story.ended) < 20
    assert len(await story.claim(len(ids))) == len(ids) - len(story.ended)
