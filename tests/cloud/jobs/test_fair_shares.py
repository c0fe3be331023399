"""A tenant's only job does not wait behind the jobs of another one."""

import pytest

from cloud.work.jobs import JobStatus
from cloud.work.jobs.model import LeasedJob
from tests.builders.counting_jobs import KIND, LONG_KIND
from tests.builders.job_rows import new_job
from tests.builders.job_story import JobStory
from tests.builders.job_works import Gated, running
from tests.harness.eventually import eventually


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


@pytest.mark.contract("S-147")
async def test_job_is_claimed_at_once_beside_the_long_steps_of_several_tenants(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work, slots=4)
    for tenant_id in ("tnt_a", "tnt_b", "tnt_c"):
        await story.count_up_to(1, count=2, kind=LONG_KIND, tenant_id=tenant_id)
    async with running(worker):
        await eventually(lambda: len(work.begun) == 3)  # a slot is left to jobs with short steps
        # In one transaction: between two, the worker could find the first alone and pass over the tenant for a second.
        both = [
            new_job(f"job_d_{kind}", kind=kind, tenant_id="tnt_d", payload='{"until":1}') for kind in (LONG_KIND, KIND)
        ]
        async with story.database.transaction() as tx:
            await story.store.enqueue(tx, both, story.clock.now_us())
        worker.signal("")
        await eventually(lambda: len(work.begun) == 4)
        statuses = [(await story.find(job.id, "tnt_d")).status for job in both]
        assert statuses == [JobStatus.QUEUED, JobStatus.RUNNING]
        work.gate.set()
        await eventually(lambda: len(story.ended) == 8)


@pytest.mark.contract("S-147")
async def test_short_job_is_claimed_at_once_while_other_tenants_wait_with_long_ones(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work, slots=4)
    for tenant_id in ("tnt_a", "tnt_b", "tnt_c"):
        await story.count_up_to(1, kind=LONG_KIND, tenant_id=tenant_id)
    async with running(worker):
        await eventually(lambda: len(work.begun) == 3)
        for tenant_id in ("tnt_d", "tnt_e"):
            await story.count_up_to(1, kind=LONG_KIND, tenant_id=tenant_id)
        worker.signal("")
        await eventually(lambda: worker.starving_long == {"tnt_d", "tnt_e"})
        (job_id,) = await story.count_up_to(1, tenant_id="tnt_f")
        worker.signal("")
        await eventually(lambda: len(work.begun) == 4)
        assert (await story.find(job_id, "tnt_f")).status is JobStatus.RUNNING
        work.gate.set()
        await eventually(lambda: len(story.ended) == 6)


@pytest.mark.contract("S-147")
async def test_short_job_of_a_tenant_that_waits_with_a_long_one_has_its_turn_beside_a_long_queue(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work, slots=2)
    await story.count_up_to(1, kind=LONG_KIND, tenant_id="tnt_a")
    async with running(worker):
        await eventually(lambda: len(work.begun) == 1)
        await story.count_up_to(1, kind=LONG_KIND, tenant_id="tnt_b")
        worker.signal("")
        await eventually(lambda: worker.starving_long == {"tnt_b"})
        await story.count_up_to(3, count=5, tenant_id="tnt_c")
        worker.signal("")
        await eventually(lambda: len(work.begun) == 2)
        (job_id,) = await story.count_up_to(1, tenant_id="tnt_b")
        story.clock.advance(us=2_000_000)
        worker.signal("")
        await eventually(lambda: worker.starving == {"tnt_b"})
        work.gate.set()
        await eventually(lambda: len(story.ended) == 8)
    order = [job.id for job in story.ended]
    assert order.index(job_id) < 4


@pytest.mark.contract("S-147")
async def test_job_with_long_steps_gives_up_its_slot_after_a_step_to_one_of_another_tenant(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work, slots=2)
    (long_id,) = await story.count_up_to(2, kind=LONG_KIND)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        (job_id,) = await story.count_up_to(1, kind=LONG_KIND, tenant_id="tnt_b")
        worker.signal("")
        await eventually(lambda: worker.starving_long == {"tnt_b"})
        story.clock.advance(us=2_000_000)
        work.gate.set()
        await eventually(lambda: len(story.ended) == 2)
    assert [job.id for job in story.ended] == [job_id, long_id]


async def test_claim_without_some_kinds_examines_a_limited_number_of_jobs(
    story: JobStory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloud.work.jobs.lease_store.EXAMINED_MAX", 2)

    async def claim() -> list[str]:
        claimed, now_us = list[LeasedJob](), story.clock.now_us()
        async with story.database.transaction() as tx:
            others = LONG_KIND, "test.another"
            await story.leases.claim(tx, {"tnt_a": 9}, claimed.append, now_us=now_us, lease_us=1, without=others)
        return [job.id for job in claimed]

    await story.count_up_to(1, kind=LONG_KIND)
    story.clock.advance(us=1)
    (near_id,) = await story.count_up_to(1)
    for kind in (LONG_KIND, KIND):
        story.clock.advance(us=1)
        await story.count_up_to(1, kind=kind)
    assert await claim() == [near_id]
