"""A cancelled job stops in its step and runs no other, whichever way its worker learns of it."""

import asyncio
from typing import Any

import pytest

from cloud.foundation.objects import LocalObjects, StoredObject
from cloud.work.jobs import JobStatus
from cloud.work.jobs.execution import LEASE_US
from cloud.work.jobs.running import worker_of
from cloud.work.jobs.slots import JobSlots
from tests.builders.imports import device
from tests.builders.job_desk import JobDesk
from tests.builders.job_story import JobStory
from tests.builders.job_works import Gated, Lingering, running
from tests.harness.eventually import eventually


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


async def test_job_cancelled_before_its_task_begins_leaves_its_slot(story: JobStory, monkeypatch: pytest.MonkeyPatch):
    begin = JobSlots.begin

    def cancelled_at_once(slots: JobSlots, tasks: Any, claimed: Any) -> None:
        begin(slots, tasks, claimed)
        worker.signal(job_id)  # as when the claim and the cancellation have one commit

    monkeypatch.setattr(JobSlots, "begin", cancelled_at_once)
    worker = story.another_worker(slots=1)
    (job_id,) = await story.count_up_to(1)
    async with running(worker):
        (other_id,) = await story.count_up_to(1)
        worker.signal("")
        await eventually(lambda: [job.id for job in story.ended] == [other_id])


async def test_worker_notices_a_cancellation_without_a_signal(story: JobStory):
    work = Gated(story)
    worker = story.another_worker(work)
    (job_id,) = await story.count_up_to(3)
    async with running(worker):
        await eventually(lambda: work.begun == [1])
        await story.cancel(job_id)
        story.clock.advance(us=1_000_000)
        await eventually(lambda: work.cancelled == [job_id])


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


@pytest.mark.contract("A-076", "S-138")
@pytest.mark.parametrize("is_signalled", [False, True])
@pytest.mark.parametrize(
    ("who", "kind", "payload"),
    [
        ("north", "export.bulk", {"data": "encounters", "format": "ndjson"}),
        ("north", "graph.compute", {"analyses": ["components"]}),
        ("north", "intelligence.enrich.bulk", {"profile_ids": ["p1"]}),
        ("importer", "import.bulk", {"data": "devices", "rows": [device(1)]}),
    ],
    ids=["export", "graph", "enrichment", "import"],
)
async def test_file_that_is_complete_when_its_job_is_cancelled_is_removed_at_once(
    desk: JobDesk, monkeypatch: pytest.MonkeyPatch, who: str, kind: str, payload: dict[str, Any], is_signalled: bool
):
    worker, join, joined = desk.parts.shared(worker_of), LocalObjects.join, list[str]()

    async def join_and_cancel(store: LocalObjects, *given: Any) -> StoredObject:
        stored = await join(store, *given)
        joined.append(stored.name)
        assert await desk.rows.cancel(job_id, "tnt_north") is not None
        if is_signalled:
            asyncio.get_running_loop().call_soon(worker.signal, job_id)
        return stored

    monkeypatch.setattr(LocalObjects, "join", join_and_cancel)
    job_id = await desk.start(who, kind=kind, payload=payload)
    await worker.step()
    assert len(joined) == 1
    assert [one.name async for page in desk.objects.pages("results") for one in page] == []
