"""Jobs under races, kills and load: one winner of each race, no doubled effect, and no tenant behind another's queue.

`make soak` runs the tests with full counts, `make test` the first three with small ones.
"""

import asyncio
import os
import random
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from cloud.access.audit.tables import audit_entries
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database, open_database
from cloud.foundation.events.tables import outbox_events
from cloud.work.jobs import JobStatus, JobStore
from cloud.work.jobs.model import LeasedJob
from cloud.work.jobs.tables import jobs
from tests.builders.counting_jobs import COUNTED, LONG_KIND
from tests.builders.job_desk import job_desk
from tests.builders.job_rows import JobRows, new_job
from tests.harness.databases import database, database_url, migrated_sqlite, postgresql
from tests.harness.eventually import eventually
from tests.harness.postgresql import PostgresqlCluster

__all__ = ["database", "database_url", "migrated_sqlite", "postgresql"]

FULL = os.environ.get("ARGUS_SOAK") == "1"
RACES = 10_000 if FULL else 100
AT_ONCE = 20
STRIDE = 1 if FULL else 7
QUEUE, ENQUEUED = 100_000, 10_000
"""The queue of S-147, ten times that of the issue, and the jobs of one transaction that fills it."""
ONLY_JOBS = 30
START_US_MAX = 2_000_000
KEYS, REPETITIONS = (30, 20) if FULL else (3, 5)
CANCELLATIONS = 30
CANCEL_S_MAX = 1.0


@pytest.mark.contract("S-136", "A-076")
async def test_each_race_of_a_cancellation_and_a_completion_has_exactly_one_winner(
    database: Database, database_url: str
):
    other = await open_database(database_url)
    worker, canceller = JobRows(database), JobRows(other)
    chance = random.Random(20_261_128)

    async def check(leased: LeasedJob, results: Sequence[object]) -> JobStatus:
        """Check that one of the two has changed the job, and return the status that it has."""
        settled = any(result is True for result in results)
        cancelled = any(result not in (True, False, None) for result in results)
        assert settled is not cancelled
        status = (await worker.find(leased.id)).status
        assert status is (JobStatus.SUCCEEDED if settled else JobStatus.CANCELLED)
        return status

    try:
        # One pair of each order alone: both may win. Which of them win the races below is left to chance, since one
        # transaction may commit all calls of a side.
        await worker.enqueue(2)
        first, second = await worker.claim(2)
        results = [await worker.settle(first), await canceller.cancel(first.id)]
        assert await check(first, results) is JobStatus.SUCCEEDED
        results = [await canceller.cancel(second.id), await worker.settle(second)]
        assert await check(second, results) is JobStatus.CANCELLED
        for _ in range(RACES // AT_ONCE):
            await worker.enqueue(AT_ONCE)
            claimed = await worker.claim(AT_ONCE)
            assert len(claimed) == AT_ONCE
            races = []
            for leased in claimed:
                pair = [worker.settle(leased), canceller.cancel(leased.id)]
                races += pair if chance.random() < 0.5 else pair[::-1]
            results = await asyncio.gather(*races)
            for leased, *pair in zip(claimed, results[::2], results[1::2], strict=True):
                await check(leased, pair)
    finally:
        await other.close()


@pytest.mark.contract("S-130", "A-069")
async def test_requests_that_repeat_keys_at_the_same_time_start_one_job_for_each_key(
    database: Database, tmp_path: Path
):
    keys = [str(uuid.UUID(int=number)) for number in range(KEYS)] * REPETITIONS
    random.Random(20_261_128).shuffle(keys)
    async with job_desk(database, tmp_path / "objects") as desk:
        responses = await asyncio.gather(*(desk.post(key=key) for key in keys))
        listed = await desk.list()
    assert Counter(response.status_code for response in responses) == {201: KEYS, 200: KEYS * (REPETITIONS - 1)}
    bodies = {(key, response.content) for key, response in zip(keys, responses, strict=True)}
    assert (len(bodies), len({body for _, body in bodies}), listed["total_count"]) == (KEYS, KEYS, KEYS)


@pytest.mark.contract("S-138")
async def test_worker_killed_at_any_step_makes_each_effect_once(database: Database, database_url: str):
    words = (sys.executable, "-m", "tests.harness.job_victim", database_url, str(STRIDE))
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 280)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    killed = int(output.split()[-1])
    assert killed >= 10 // STRIDE
    expected = [f"job_{number}/{what}" for number in range(killed + 1) for what in (1, 2, "end")]
    async with database.read() as tx:
        counted = select(audit_entries.c.object).where(audit_entries.c.action == COUNTED)
        assert sorted(row.object for row in await tx.execute(counted)) == sorted(expected)
        statuses = {row.status for row in await tx.execute(select(jobs.c.status))}
        reported = sorted(row.key for row in await tx.execute(select(outbox_events.c.key)))
    assert statuses == {JobStatus.SUCCEEDED}
    assert reported == sorted(f"job_{number}" for number in range(killed + 1))


@asynccontextmanager
async def worker_process(url: str, slots: int, step_s: float) -> AsyncIterator[asyncio.subprocess.Process]:
    words = (sys.executable, "-m", "tests.harness.job_worker", url, str(slots), str(step_s))
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"up\n"
        yield process
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 60)


@pytest.mark.skipif(not FULL, reason="it measures times: make soak ONLY=jobs")
@pytest.mark.contract("S-147")
async def test_only_job_of_a_tenant_starts_within_two_seconds_beside_a_hundred_thousand_of_another(
    postgresql: PostgresqlCluster,
):
    store, clock, chance = JobStore(), SystemClock(), random.Random(1)
    with postgresql.database() as url:
        database = await open_database(url)
        for first in range(0, QUEUE, ENQUEUED):
            many = [f"many_{number:06d}" for number in range(first, first + ENQUEUED)]
            queue = [new_job(one, tenant_id="tnt_many", payload='{"until":8}') for one in many]
            async with database.transaction() as tx:
                await store.enqueue(tx, queue, clock.now_us())
        async with worker_process(url, 4, 0.25), worker_process(url, 4, 0.25):
            for number in range(ONLY_JOBS):
                await asyncio.sleep(chance.random())
                async with database.transaction() as tx:
                    job = new_job(f"only_{number}", tenant_id=f"tnt_{number}", payload='{"until":8}')
                    await store.enqueue(tx, [job], clock.now_us())
            only = select(jobs.c.started_at_us, jobs.c.created_at_us).where(jobs.c.tenant_id != "tnt_many")

            async def started() -> list[int]:
                async with database.read() as tx:
                    rows = (await tx.execute(only)).rows
                return [row[0] - row[1] for row in rows] if all(row[0] is not None for row in rows) else []

            delays_us = await eventually(started, within_s=60, poll_s=0.2)
            async with database.read() as tx:
                left = select(jobs.c.id).where(jobs.c.tenant_id == "tnt_many", jobs.c.status == "queued").limit(1)
                assert (await tx.execute(left)).first() is not None, "the queue lasts for the whole test"
        await database.close()
    print(f"start of a tenant's only job: at most {max(delays_us) / 1e6:.2f} s, {len(delays_us)} jobs")
    assert max(delays_us) <= START_US_MAX


@pytest.mark.skipif(not FULL, reason="it measures times: make soak ONLY=jobs")
@pytest.mark.contract("S-147")
async def test_only_long_job_of_a_tenant_starts_within_two_seconds_beside_steps_of_minutes_of_another(
    postgresql: PostgresqlCluster,
):
    store, clock = JobStore(), SystemClock()
    with postgresql.database() as url:
        database = await open_database(url)

        async def enqueue(name: str, count: int) -> None:
            queue = [new_job(f"{name}_{number}", tenant_id=f"tnt_{name}", kind=LONG_KIND) for number in range(count)]
            async with database.transaction() as tx:
                await store.enqueue(tx, queue, clock.now_us())

        async def delays_us(name: str, count: int) -> list[int]:
            """Return the delays of the started jobs of a tenant when there are `count` of them."""
            of_tenant = jobs.c.tenant_id == f"tnt_{name}", jobs.c.started_at_us.is_not(None)
            async with database.read() as tx:
                rows = (await tx.execute(select(jobs.c.started_at_us, jobs.c.created_at_us).where(*of_tenant))).rows
            return [row[0] - row[1] for row in rows] if len(rows) >= count else []

        await enqueue("many", ENQUEUED)
        found: list[int] = []
        async with worker_process(url, 4, 600), worker_process(url, 4, 600):
            await eventually(lambda: delays_us("many", 4), within_s=60)
            for name in ("one", "two"):
                await enqueue(name, 1)
                found += await eventually(lambda name=name: delays_us(name, 1), within_s=60)
        await database.close()
    print(f"start of a tenant's only long job: at most {max(found) / 1e6:.2f} s")
    assert max(found) <= START_US_MAX


@pytest.mark.skipif(not FULL, reason="it measures times: make soak ONLY=jobs")
@pytest.mark.contract("C-174")
async def test_cancellation_stops_the_step_of_another_process_within_a_second(database: Database, database_url: str):
    rows, chance, delays_s = JobRows(database), random.Random(2), list[float]()
    async with worker_process(database_url, 4, 600) as worker:
        assert worker.stdout is not None
        for _ in range(CANCELLATIONS):
            (job_id,) = await rows.enqueue(payload='{"until":8}')

            async def started(job_id: str = job_id) -> bool:
                return (await rows.find(job_id)).status is JobStatus.RUNNING

            await eventually(started, within_s=60)
            await asyncio.sleep(chance.random())
            assert await rows.cancel(job_id) is not None
            begun_s = time.monotonic()
            assert await asyncio.wait_for(worker.stdout.readline(), 60) == f"stopped {job_id}\n".encode()
            delays_s.append(time.monotonic() - begun_s)
    print(f"{database.dialect}: a cancelled step stopped after {max(delays_s):.3f} s at most, {len(delays_s)} jobs")
    assert max(delays_s) <= CANCEL_S_MAX
