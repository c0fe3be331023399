"""A worker on SQLite claims more jobs than it has slots while all jobs end at once. It runs no more at a time."""

from cloud.foundation.db import Transaction
from cloud.work.jobs import Finish, RunningJob
from cloud.work.jobs.store import CLEANUP_DELAY_US
from cloud.work.jobs.worker import AHEAD
from tests.builders.counting_jobs import CountPayload, CountState
from tests.builders.job_story import JobStory
from tests.builders.job_works import Gated, running
from tests.harness.eventually import eventually

SLOTS = 4
TENANTS = ("tnt_a", "tnt_b", "tnt_c", "tnt_d", "tnt_e", "tnt_f")
JOBS = 5 * len(TENANTS)


class EndingAtOnce(Gated):
    """Ends the first jobs at once. The others wait for the gate."""

    def __init__(self, story: JobStory, at_once: int) -> None:
        super().__init__(story)
        self.left = at_once

    async def step(self, job: RunningJob[CountPayload, CountState]) -> Finish:
        self.left -= 1
        if self.left < 0:
            self.begun.append(0)
            await self.gate.wait()
        return Finish()


def note_claims(story: JobStory, sizes: list[int]) -> None:
    """Append the number of jobs that each transaction ends to `sizes`."""
    report = story._report

    async def noting(tx: Transaction, ended: object) -> None:
        sizes.append(len(ended))  # type: ignore[arg-type]
        await report(tx, ended)  # type: ignore[arg-type]

    story._report = noting  # type: ignore[method-assign]


async def test_jobs_that_end_at_once_are_claimed_in_larger_transactions_on_sqlite(story: JobStory):
    sizes = list[int]()
    note_claims(story, sizes)
    for tenant_id in TENANTS:
        await story.count_up_to(1, count=5, tenant_id=tenant_id)
    worker = story.another_worker(EndingAtOnce(story, JOBS), slots=SLOTS)
    assert await worker.step() == JOBS
    assert max(sizes) == SLOTS * AHEAD[story.database.dialect]


async def test_jobs_claimed_ahead_are_given_back_when_those_in_front_wait(story: JobStory):
    for tenant_id in TENANTS:
        await story.count_up_to(1, count=5, tenant_id=tenant_id)
    work = EndingAtOnce(story, SLOTS)
    worker = story.another_worker(work, slots=SLOTS)
    async with running(worker):
        await eventually(lambda: len(work.begun) == SLOTS and worker.settled >= SLOTS)
        # Another worker gets all the others, so this one has kept none of them.
        assert await story.another_worker(EndingAtOnce(story, JOBS), slots=SLOTS).step() == JOBS - 2 * SLOTS
        assert len(work.begun) == SLOTS
        work.gate.set()
        await eventually(lambda: len(story.ended) == JOBS)
    jobs = {job.id for job in story.ended}
    assert len(jobs) == len(story.ended) == JOBS


async def test_clean_ups_that_are_claimed_ahead_are_made_beside_jobs_that_wait(story: JobStory):
    for tenant_id in TENANTS:
        (cancelled_id,) = await story.count_up_to(1, tenant_id=tenant_id)
        await story.save(await story.claim_one(tenant_id), '{"counted":1}')
        await story.cancel(cancelled_id, tenant_id)
        await story.count_up_to(1, count=2, tenant_id=tenant_id)
    story.clock.advance(us=CLEANUP_DELAY_US)
    work = EndingAtOnce(story, SLOTS)
    async with running(story.another_worker(work, slots=SLOTS)):
        await eventually(lambda: len(work.begun) == SLOTS)
        work.gate.set()
        await eventually(lambda: len(story.ended) == 2 * len(TENANTS) and len(work.discarded) == len(TENANTS))
