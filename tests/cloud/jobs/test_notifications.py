"""A worker is notified of new and of cancelled jobs by PostgreSQL, long before it looks for them."""

import pytest

from cloud.foundation.db import open_database
from tests.builders.job_rows import JobRows
from tests.builders.job_story import JobStory
from tests.builders.job_works import Gated, running
from tests.harness.eventually import eventually
from tests.harness.postgresql import PostgresqlCluster


@pytest.mark.pg
@pytest.mark.contract("C-174")
async def test_worker_is_notified_of_the_jobs_that_another_process_enqueues_and_cancels(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.work.jobs.worker.IDLE_S", 3600.0)
    monkeypatch.setattr("cloud.work.jobs.worker.BEAT_S", 3600.0)
    with postgresql.database() as url:
        database, other = await open_database(url), await open_database(url)
        story, rows = JobStory(database), JobRows(other)
        work, received = Gated(story), list[str]()
        worker = story.another_worker(work)
        signal = worker.signal

        def receive(text: str) -> None:
            received.append(text)
            signal(text)

        monkeypatch.setattr(worker, "signal", receive)
        async with running(worker):
            await eventually(lambda: received == [""], what="the worker listens")
            (job_id,) = await rows.enqueue(payload='{"until":3}')
            await eventually(lambda: received == ["", ""] and work.begun == [1], what="it claims the new job")
            assert await rows.cancel(job_id) is not None
            await eventually(lambda: received == ["", "", job_id], what="the cancellation is notified")
            await eventually(lambda: work.cancelled == [job_id], what="the step stops")
        await database.close()
        await other.close()
