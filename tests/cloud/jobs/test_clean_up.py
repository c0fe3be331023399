"""Everything that a job has stored is removed when nothing needs it any more: state, parts of uploads, result."""

import pytest

from cloud.foundation.db import Database
from cloud.foundation.objects import Download, Result, Results, StoredObject
from cloud.work.jobs import JobError, JobStatus, expiry
from cloud.work.jobs.execution import ATTEMPTS_MAX, OTHER_RELEASE_US, RETRY_FIRST_US, retry_delay_us
from cloud.work.jobs.store import CLEANUP_DELAY_US
from cloud.work.jobs.tables import NO_PAYLOAD
from tests.builders.job_rows import JobRows
from tests.builders.job_story import JobStory
from tests.builders.job_works import Gated, Running, Undiscardable, running
from tests.builders.parts import sweep_once
from tests.harness.eventually import eventually

DAY_US = 86_400_000_000


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


@pytest.mark.parametrize(
    "other", [{"kind": "test.newer"}, {"payload": '{"until":"many"}'}], ids=["unknown kind", "unreadable payload"]
)
async def test_state_of_an_ended_job_of_another_release_stays_for_a_worker_that_can_read_it(
    story: JobStory, other: dict[str, str]
):
    (job_id,) = await story.enqueue(**other)
    await story.save(await story.claim_one(), '{"counted":2}', 66)
    await story.cancel(job_id)
    assert await story.later(CLEANUP_DELAY_US) == 1
    assert await story.later(OTHER_RELEASE_US - 1) == 0
    assert await story.state_of(job_id) == '{"counted":2}'
    assert await story.later(1) == 1
    for _ in range(ATTEMPTS_MAX):
        await story.later(OTHER_RELEASE_US)
    assert await story.state_of(job_id) is None


async def test_clean_up_that_hangs_is_cancelled_after_the_longest_time_and_retried(
    story: JobStory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloud.work.jobs.execution.STEP_S_MAX", 20.0)  # shorter than a lease
    work = Gated(story)
    worker = story.another_worker(work, slots=1)

    async def discard(job: Running) -> None:
        work.discarded.append(job)
        await work.gate.wait()

    monkeypatch.setattr(work, "discard", discard)
    (job_id,) = await story.count_up_to(3)
    await story.save(await story.claim_one(), '{"counted":2}', 66)
    await story.cancel(job_id)
    story.clock.advance(us=CLEANUP_DELAY_US)
    async with running(worker):
        await eventually(lambda: len(work.discarded) == 1)
        story.clock.advance(us=21_000_000)
        await worker.renew()
        (other_id,) = await story.count_up_to(1)
        worker.signal("")
        await eventually(lambda: work.begun == [1])
        work.gate.set()
        await eventually(lambda: [job.id for job in story.ended] == [other_id])
    assert await story.state_of(job_id) == '{"counted":2}'
    await story.later(retry_delay_us(ATTEMPTS_MAX))
    assert await story.state_of(job_id) is None


@pytest.mark.contract("C-171", "S-145")
async def test_result_is_released_when_its_retention_is_over_and_the_record_of_the_job_stays(story: JobStory):
    (job_id,) = await story.count_up_to(1)
    assert await story.payload_of(job_id) != NO_PAYLOAD
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
    assert await story.payload_of(job_id) == NO_PAYLOAD
    async with story.database.read() as tx:
        assert await Results().unused(tx, 10) == [object_name]
    assert await sweep_once(story.database, story.clock, "job_results") == 0


async def test_payload_of_an_ended_job_is_deleted_with_its_retention_and_that_of_an_open_job_stays(database: Database):
    rows = JobRows(database)
    names = '{"profile_ids":["examplo_1"]}'
    succeeded, failed, cancelled, awaiting_clean_up, queued = await rows.enqueue(5, payload=names)
    claimed = {job.id: job for job in await rows.claim(4)}
    await rows.settle(claimed[succeeded])
    await rows.settle(claimed[failed], JobStatus.FAILED, error=JobError("lost", "Lost.", False))
    await rows.cancel(cancelled)
    await rows.save(claimed[awaiting_clean_up])
    await rows.cancel(awaiting_clean_up)
    rows.clock.advance(us=30 * DAY_US - 1)
    assert await sweep_once(database, rows.clock, "job_payloads") == 0
    rows.clock.advance(us=1)
    assert await sweep_once(database, rows.clock, "job_payloads") == 3
    assert await sweep_once(database, rows.clock, "job_payloads") == 0
    kept = [await rows.payload_of(id) for id in (succeeded, failed, cancelled, awaiting_clean_up, queued)]
    assert kept == [NO_PAYLOAD, NO_PAYLOAD, NO_PAYLOAD, names, names]
    assert (await rows.find(failed)).error == JobError("lost", "Lost.", False)


async def test_payloads_are_deleted_some_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(expiry, "PAYLOADS_AT_ONCE", 2)
    rows = JobRows(database)
    for job_id in await rows.enqueue(3, payload='{"n":1}'):
        await rows.cancel(job_id)
    rows.clock.advance(us=30 * DAY_US)
    assert [await sweep_once(database, rows.clock, "job_payloads") for _ in range(3)] == [2, 1, 0]
