"""A tenant's only job does not wait behind the jobs of another one."""

from collections import Counter

import pytest

from cloud.work.jobs import Advance, Finish, JobStatus
from cloud.work.jobs.model import LeasedJob
from cloud.work.jobs.sharing import in_batches
from tests.builders.counting_jobs import KIND, LONG_KIND, CountState
from tests.builders.job_rows import new_job
from tests.builders.job_story import JobStory
from tests.builders.job_works import Gated, Running, running
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
async def test_only_long_job_of_a_tenant_is_claimed_at_once_beside_the_long_steps_of_another(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work, slots=4)
    await story.count_up_to(1, count=5, kind=LONG_KIND)
    async with running(worker):
        # A slot is left to long steps of other tenants, one to short ones.
        await eventually(lambda: len(work.begun) == 2 and "tnt_a" in worker._passed)
        (long_id,) = await story.count_up_to(1, kind=LONG_KIND, tenant_id="tnt_b")
        (short_id,) = await story.count_up_to(1)
        story.clock.advance(us=2_000_000)  # the time for which the first tenant is passed over
        worker.signal("")
        await eventually(lambda: len(work.begun) == 4)
        assert (await story.find(long_id, "tnt_b")).status is JobStatus.RUNNING
        assert (await story.find(short_id)).status is JobStatus.RUNNING
        work.gate.set()
        await eventually(lambda: len(story.ended) == 7)


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


class Watched(Gated):
    """Gated counting that records the most jobs that ran at a time: of one tenant, with long steps, and with long steps
    of one tenant. `long_ids` are the jobs with long steps."""

    def __init__(self, story: JobStory) -> None:
        super().__init__(story)
        self.long_ids: set[str] = set()
        self.most = (0, 0, 0)
        self._tenant_of: dict[str, str] = {}

    async def step(self, job: Running) -> Advance[CountState] | Finish:
        self._tenant_of[job.id] = job.actor.tenant_id
        long = Counter(tenant_id for one, tenant_id in self._tenant_of.items() if one in self.long_ids)
        now = max(Counter(self._tenant_of.values()).values()), long.total(), max(long.values(), default=0)
        self.most = max(self.most[0], now[0]), max(self.most[1], now[1]), max(self.most[2], now[2])
        try:
            return await super().step(job)
        finally:
            del self._tenant_of[job.id]


@pytest.mark.contract("S-147")
async def test_shares_hold_when_a_claim_is_made_in_several_batches(story: JobStory):
    work = Watched(story)
    worker = story.another_worker(work, slots=6, batch=2)
    for tenant_id, kind in (("tnt_a", LONG_KIND), ("tnt_a", KIND), ("tnt_b", LONG_KIND), ("tnt_b", KIND)):
        ids = await story.count_up_to(1, count=6, kind=kind, tenant_id=tenant_id)
        work.long_ids |= set(ids) if kind == LONG_KIND else set()

    def are_all_slots_taken() -> bool:
        story.clock.advance(us=100_000)  # a tenant whose long jobs have no slot is passed over for a second
        worker.signal("")
        return len(work.begun) == 6

    async with running(worker):
        await eventually(are_all_slots_taken)
        work.gate.set()
        await eventually(lambda: len(story.ended) == 24)
    assert work.begun.count(1) == 24, "each job is begun once"
    of_tenant, long, long_of_tenant = work.most
    assert (of_tenant <= 5, long <= 5, long_of_tenant <= 4) == (True, True, True), work.most


async def test_claim_without_some_kinds_examines_a_limited_number_of_jobs(
    story: JobStory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloud.work.jobs.lease_store.EXAMINED_MAX", 2)

    await story.count_up_to(1, kind=LONG_KIND)
    story.clock.advance(us=1)
    (near_id,) = await story.count_up_to(1)
    for kind in (LONG_KIND, KIND):
        story.clock.advance(us=1)
        await story.count_up_to(1, kind=kind)
    assert await claim_without(story, 9, LONG_KIND, "test.another") == [near_id]


async def test_claim_without_some_kinds_takes_the_job_that_is_due_longest(story: JobStory):
    await story.count_up_to(1, kind=LONG_KIND)
    (newer_id,) = await story.count_up_to(1)
    story.clock.advance(us=-1)
    (older_id,) = await story.count_up_to(1)
    story.clock.advance(us=1)
    assert [await claim_without(story, 1, LONG_KIND) for _ in range(2)] == [[older_id], [newer_id]]


async def claim_without(story: JobStory, count: int, *kinds: str) -> list[str]:
    """Claim jobs of tnt_a without those of some kinds; return their ids."""
    claimed, now_us = list[LeasedJob](), story.clock.now_us()
    async with story.database.transaction() as tx:
        await story.leases.claim(tx, {"tnt_a": count}, claimed.append, now_us=now_us, lease_us=1, without=kinds)
    return [job.id for job in claimed]


@pytest.mark.parametrize(
    ("counts", "batches"),
    [
        ({}, []),
        ({"tnt_a": 2, "tnt_b": 1}, [{"tnt_a": 2, "tnt_b": 1}]),
        ({"tnt_a": 2, "tnt_b": 3}, [{"tnt_a": 2, "tnt_b": 1}, {"tnt_b": 2}]),
        ({"tnt_a": 7}, [{"tnt_a": 3}, {"tnt_a": 3}, {"tnt_a": 1}]),
    ],
)
def test_jobs_to_claim_are_divided_into_batches(counts: dict[str, int], batches: list[dict[str, int]]):
    assert in_batches(counts, 3) == batches
