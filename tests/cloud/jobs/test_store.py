"""The table of jobs: who sees a job, which job is claimed, and which of two concurrent changes is made."""

import asyncio

import pytest

from cloud.foundation.db import Database
from cloud.foundation.viewer import SecrecyLevel, Viewer
from cloud.work.jobs import JobBell, JobError, JobResult, JobSearch, JobStatus
from cloud.work.jobs.errors import JobLeaseLost
from cloud.work.jobs.lease_store import DUE_TENANTS
from cloud.work.jobs.store import CLEANUP_DELAY_US
from tests.builders.job_rows import LEASE_US, JobRows

TENANT = Viewer("tnt_a", None)


@pytest.fixture
def rows(database: Database) -> JobRows:
    return JobRows(database)


@pytest.mark.contract("C-183", "A-074")
async def test_job_is_invisible_to_another_tenant_organization_or_lower_clearance(rows: JobRows):
    (job_id,) = await rows.enqueue(organization_id="org_1", secrecy_level=SecrecyLevel.SECRET)
    visible = {
        Viewer("tnt_a", "org_1", SecrecyLevel.SECRET): True,
        Viewer("tnt_a", None, SecrecyLevel.TOP_SECRET): True,
        Viewer("tnt_b", None, SecrecyLevel.TOP_SECRET): False,
        Viewer("tnt_a", "org_2", SecrecyLevel.SECRET): False,
        Viewer("tnt_a", "org_1", SecrecyLevel.RESTRICTED): False,
    }
    for viewer, expected in visible.items():
        async with rows.database.transaction() as tx:
            found = await rows.store.find(tx, viewer, job_id)
            page = await rows.store.page(tx, viewer, JobSearch(), 10)
            count = await rows.store.count(tx, viewer, JobSearch())
            cancelled = await rows.store.cancel(tx, viewer, job_id, rows.clock.now_us()) if not expected else None
        assert ((found is not None), len(page), count, cancelled) == (expected, expected, expected, None)


@pytest.mark.contract("S-140")
async def test_pages_of_jobs_with_one_creation_time_list_each_job_once_while_others_are_enqueued(rows: JobRows):
    known = await rows.enqueue(40)
    seen: list[str] = []
    before = None
    while True:
        async with rows.database.read() as tx:
            page = await rows.store.page(tx, TENANT, JobSearch(before=before), 7)
        if not page:
            break
        seen += [job.id for job in page]
        before = page[-1].created_at_us, page[-1].id
        await rows.enqueue(2)
    assert seen == sorted(known, reverse=True)


async def test_list_and_count_filter_by_kinds_and_statuses(rows: JobRows):
    first, second = await rows.enqueue(2)
    (other,) = await rows.enqueue(kind="test.other")
    await rows.cancel(second)
    wanted = {
        JobSearch(kinds=("test.count",)): {first, second},
        JobSearch(kinds=("test.count", "test.other"), statuses=(JobStatus.QUEUED,)): {first, other},
        JobSearch(statuses=(JobStatus.CANCELLED, JobStatus.FAILED)): {second},
    }
    for search, ids in wanted.items():
        async with rows.database.read() as tx:
            page = await rows.store.page(tx, TENANT, search, 10)
            assert ({job.id for job in page}, await rows.store.count(tx, TENANT, search)) == (ids, len(ids))


async def test_claim_takes_the_jobs_of_one_tenant_that_are_due_longest(rows: JobRows):
    first = await rows.enqueue(2)
    rows.clock.advance(us=1)
    later = await rows.enqueue(2)
    await rows.enqueue(3, tenant_id="tnt_b")
    claimed = await rows.claim(3)
    assert {job.id for job in claimed} == {*first, later[0]}
    assert {(job.status, job.lease_token, job.attempts) for job in claimed} == {(JobStatus.RUNNING, 1, 1)}
    assert [job.id for job in await rows.claim(3)] == [later[1]]
    assert await rows.claim(3) == []


async def test_due_tenants_are_listed_with_their_earliest_job_and_their_running_jobs(rows: JobRows):
    await rows.enqueue(3)
    rows.clock.advance(us=5)
    await rows.enqueue(1, tenant_id="tnt_b")
    await rows.enqueue(1, tenant_id="tnt_c")
    await rows.claim(2)
    await rows.claim(1, "tnt_c")
    due = [tuple(row) for row in await rows.database.peek(DUE_TENANTS, {"most": 10})]
    now_us = rows.clock.now_us()
    assert due == [("tnt_a", now_us - 5, 2), ("tnt_b", now_us, 0)]


@pytest.mark.contract("A-076", "C-176")
async def test_job_that_was_cancelled_stores_no_further_step_and_no_result(rows: JobRows):
    await rows.enqueue()
    leased = await rows.claim_one()
    cancelled = await rows.cancel(leased.id)
    assert cancelled is not None
    assert (cancelled.status, cancelled.completed_at_us) == (JobStatus.CANCELLED, rows.clock.now_us())
    with pytest.raises(JobLeaseLost):
        await rows.save(leased)
    assert not await rows.settle(leased)
    assert (await rows.find(leased.id)).status is JobStatus.CANCELLED


@pytest.mark.contract("A-075", "C-178")
@pytest.mark.parametrize("end", [JobStatus.SUCCEEDED, JobStatus.FAILED])
async def test_job_that_has_ended_cannot_be_cancelled(rows: JobRows, end: JobStatus):
    await rows.enqueue()
    leased = await rows.claim_one()
    assert await rows.settle(leased, end)
    assert await rows.cancel(leased.id) is None
    assert (await rows.find(leased.id)).status is end


@pytest.mark.contract("S-136")
async def test_exactly_one_of_a_concurrent_cancellation_and_completion_is_made(rows: JobRows):
    await rows.enqueue(20)
    claimed = await rows.claim(20)
    for number, leased in enumerate(claimed):
        pair = [rows.settle(leased), rows.cancel(leased.id)]
        results = await asyncio.gather(*(pair if number % 2 else pair[::-1]))
        settled, cancelled = results if number % 2 else results[::-1]
        assert bool(settled) is (cancelled is None)
        expected = JobStatus.SUCCEEDED if settled else JobStatus.CANCELLED
        assert (await rows.find(leased.id)).status is expected


async def test_queued_job_that_is_cancelled_is_never_claimed(rows: JobRows):
    (job_id,) = await rows.enqueue()
    await rows.cancel(job_id)
    rows.clock.advance(us=2 * CLEANUP_DELAY_US)
    assert await rows.claim() == []


async def test_cancelled_job_with_a_stored_state_is_claimed_once_more_for_its_clean_up(rows: JobRows):
    await rows.enqueue()
    leased = await rows.claim_one()
    await rows.save(leased, '{"upload":"u1"}')
    await rows.cancel(leased.id)
    ended = await rows.find(leased.id)
    rows.clock.advance(us=CLEANUP_DELAY_US - 1)
    assert await rows.claim() == []
    rows.clock.advance(us=1)
    claimed = await rows.claim_one()
    assert (claimed.status, claimed.state) == (JobStatus.CANCELLED, '{"upload":"u1"}')
    async with rows.database.transaction() as tx:
        await rows.leases.end_cleanup(tx, claimed, None)
    assert (await rows.find(leased.id), await rows.claim()) == (ended, [])


@pytest.mark.contract("S-138")
async def test_expired_lease_is_swept_and_its_worker_stores_nothing_afterwards(rows: JobRows):
    await rows.enqueue()
    late = await rows.claim_one()
    rows.clock.advance(us=LEASE_US - 1)
    assert await rows.sweep() == 0
    await rows.enqueue(2)
    rows.clock.advance(us=1)
    assert await rows.sweep() == 1
    with pytest.raises(JobLeaseLost):
        await rows.save(late)
    second = await rows.claim_one()
    assert (second.id, second.attempts) == (late.id, 2)  # before the jobs that were enqueued later
    assert not await rows.settle(late)
    assert await rows.settle(second)


async def test_renewal_extends_only_the_leases_that_the_worker_still_has(rows: JobRows):
    await rows.enqueue(3)
    claimed = await rows.claim(3)
    kept, cancelled, swept = claimed
    await rows.cancel(cancelled.id)
    rows.clock.advance(us=LEASE_US // 2)
    async with rows.database.transaction() as tx:
        ours = await rows.leases.renew(tx, [kept, cancelled], now_us=rows.clock.now_us(), lease_us=LEASE_US)
    assert ours == {kept.id}
    rows.clock.advance(us=LEASE_US // 2)
    assert await rows.sweep() == 1
    assert [job.id for job in await rows.claim(3)] == [swept.id]


@pytest.mark.contract("A-085")
async def test_progress_never_decreases_and_is_complete_only_after_success(rows: JobRows):
    await rows.enqueue(2)
    first, second = await rows.claim(2)
    seen = []
    for percent in (10, 40, 20):
        await rows.save(first, progress_pct=percent)
        seen.append((await rows.find(first.id)).progress_pct)
    await rows.settle(first)
    await rows.save(second, progress_pct=30)
    await rows.settle(second, JobStatus.FAILED, error=JobError("row_invalid", "Row 7 is invalid.", False))
    failed = await rows.find(second.id)
    assert [*seen, (await rows.find(first.id)).progress_pct, failed.progress_pct] == [10, 40, 40, 100, 30]
    assert failed.error == JobError("row_invalid", "Row 7 is invalid.", False)


async def test_result_is_stored_with_the_success_of_its_job(rows: JobRows):
    await rows.enqueue()
    result = JobResult("results/job.ndjson", "application/x-ndjson", 1 << 40)
    leased = await rows.claim_one()
    await rows.settle(leased, result=result, result_expires_at_us=rows.clock.now_us() + 5)
    found = await rows.find(leased.id)
    assert (found.result, found.result_expires_at_us) == (result, rows.clock.now_us() + 5)


async def test_failure_of_a_job_that_has_succeeded_under_the_same_lease_changes_nothing(rows: JobRows):
    await rows.enqueue()
    leased = await rows.claim_one()
    await rows.settle(leased, result=JobResult("results/job.json", "application/json", 2), result_expires_at_us=5)
    succeeded = await rows.find(leased.id)
    assert not await rows.settle(leased, JobStatus.FAILED, error=JobError("lost", "The commit is unknown.", True))
    assert await rows.find(leased.id) == succeeded


async def test_released_job_continues_from_its_stored_state(rows: JobRows):
    await rows.enqueue()
    leased = await rows.claim_one()
    await rows.save(leased, '{"rows":500}', 50)
    assert await rows.settle(leased, JobStatus.RUNNING, due_at_us=leased.created_at_us)
    found = await rows.find(leased.id)
    assert (found.status, found.progress_pct, found.completed_at_us) == (JobStatus.RUNNING, 50, None)
    again = await rows.claim_one()
    assert (again.state, again.lease_token, again.attempts) == ('{"rows":500}', 2, 1)


def test_bell_passes_each_signal_to_the_worker_of_its_process() -> None:
    bell, heard = JobBell(), list[str]()
    bell.ring()
    bell.attach(heard.append)
    bell.ring()
    bell.ring("job_1")
    assert heard == ["", "job_1"]
