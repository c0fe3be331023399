"""A job belongs to one worker as long as that renews the lease, and to another one after the worker was killed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from cloud.foundation.db import Transaction, ValueRefused
from cloud.work.jobs import Finish, Job, JobStatus
from cloud.work.jobs.execution import ATTEMPTS_MAX, LEASE_US
from cloud.work.jobs.lease_store import Settlement
from cloud.work.jobs.worker import PUMPS
from tests.builders.counting_jobs import Counting
from tests.builders.job_story import JobStory
from tests.builders.job_works import Gated, Lingering, Running, running
from tests.harness.eventually import eventually


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
async def test_expired_lease_is_swept_while_a_queue_never_lets_the_worker_rest(
    story: JobStory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(PUMPS, "postgresql", 1)

    class Advancing(Counting):
        async def step(self, job: Running) -> Finish:
            story.clock.advance(us=100_000 if story.ended else LEASE_US // 4)
            return Finish()

    (expired_id,) = await story.enqueue(tenant_id="tnt_b")
    await story.claim_one("tnt_b")
    story.clock.advance(us=LEASE_US * 3 // 4)
    await story.enqueue(40)
    async with running(story.another_worker(Advancing(story.clock), slots=1)):
        await eventually(lambda: len(story.ended) == 41)
    assert [job.id for job in story.ended].index(expired_id) < 20


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


async def test_job_that_is_settled_under_a_lost_lease_and_the_present_one_is_reported_once(story: JobStory):
    await story.count_up_to(1)
    lost = await story.claim_one()
    story.clock.advance(us=LEASE_US)
    await story.sweep()
    present = await story.claim_one()
    executor = story.executor(Counting(story.clock), story.database, story.clock)
    async with story.database.transaction() as tx:
        await executor.settle_some(tx, [Settlement(one, JobStatus.SUCCEEDED) for one in (lost, present)])
    assert [job.id for job in story.ended] == [present.id]


async def test_job_that_ends_although_it_was_stopped_as_lost_is_not_settled(story: JobStory):
    class Finishing(Gated):
        async def step(self, job: Running) -> Finish:
            with suppress(asyncio.CancelledError):
                await super().step(job)
            return Finish()

    work = Finishing(story)
    worker = story.another_worker(work)
    (job_id,) = await story.count_up_to(1)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        worker.signal(job_id)
    assert (work.cancelled, story.ended) == ([job_id], [])
    assert (await story.find(job_id)).status is JobStatus.RUNNING


async def test_settlement_that_is_refused_does_not_prevent_the_others(story: JobStory, monkeypatch: pytest.MonkeyPatch):
    class Short(Counting):
        async def step(self, job: Running) -> Finish:
            return Finish()

    async def report(tx: Transaction, ended: Sequence[Job]) -> None:
        if refused_id in [job.id for job in ended]:
            raise ValueRefused
        story.ended += ended

    monkeypatch.setattr(story, "_report", report)
    refused_id, *others = await story.count_up_to(1, 3)
    worker = story.another_worker(Short(story.clock))
    await worker.step()
    assert ([job.id for job in story.ended], worker.settled) == (others, 2)
    monkeypatch.undo()
    story.clock.advance(us=LEASE_US)
    await story.another_worker(Short(story.clock)).step()
    assert (await story.find(refused_id)).status is JobStatus.SUCCEEDED


async def test_lost_job_does_not_prevent_the_settlements_of_the_others(story: JobStory):
    class Losing(Counting):
        async def step(self, job: Running) -> Finish:
            if job.id == lost_id:
                await story.cancel(lost_id)
            return Finish()

    lost_id, *others = await story.count_up_to(1, 3)
    worker = story.another_worker(Losing(story.clock))
    await worker.step()
    assert ([job.id for job in story.ended], worker.settled) == (others, 3)
    assert (await story.find(lost_id)).status is JobStatus.CANCELLED
    assert [(await story.find(one)).status for one in others] == [JobStatus.SUCCEEDED] * 2


async def test_renewal_of_a_job_that_was_settled_meanwhile_gives_it_no_lease(story: JobStory):
    await story.count_up_to(1)
    leased = await story.claim_one()
    async with story.database.transaction() as tx:
        await story.leases.settle_some(tx, [Settlement(leased, JobStatus.SUCCEEDED)], story.clock.now_us())
        renewed = await story.leases.renew(tx, [leased], now_us=story.clock.now_us(), lease_us=LEASE_US)
    assert renewed == set()
    story.clock.advance(us=2 * LEASE_US)
    assert await story.sweep() == 0
