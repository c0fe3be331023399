"""`jobs.*`: the rate of jobs from a queue to their final rows, against a raw SQL claim loop and against pgqueuer.

The jobs do nothing, so the figure is the cost of the engine as `serve` builds it: it finds the tenants whose jobs are
due, claims a batch under leases, durably, reads each payload, runs the step, and stores the results and the events of
the ends, durably. The span of each job is written in the same time. The queue is filled before the time starts, with
the jobs of several tenants.

The raw loop claims a batch of the same size in one durable transaction and completes it in a second one, on a table
with the columns that this needs and one index. It knows no tenants, leases or tokens, and its jobs are rows only.

The commits are not equally many. Our engine ends the jobs of the last claims and makes the next ones in one
transaction: on PostgreSQL one claim, on SQLite two (`CLAIMS` in the worker), which fill the slots, twice a batch, and
three times as many while all jobs end at once (`AHEAD`). So for 1,000 jobs the raw loop makes 201 commits, and ours
22 on SQLite. The slower the disk, the higher the ratio: with 53 commits it was 2.1 on a disk that needs 2.5 ms for
one, and 0.4 on one that needs 0.17 ms, where processor time decides.

pgqueuer runs on the same server with the same batch size and its tables are durable too; it runs functions that do
nothing, and moves each completed job to its log.
"""

import asyncio
import atexit
import itertools
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.domain.types import QueueExecutionMode
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database, migrate, open_database
from cloud.foundation.db.statistics import refresh_statistics
from cloud.foundation.event_loop import new_service_loop
from cloud.foundation.garbage import tune_garbage_collector
from cloud.foundation.tracing import spans_of
from cloud.work.jobs import Finish, JobStore, RunningJob
from cloud.work.jobs.ending import ends_of
from cloud.work.jobs.execution import JobExecutor
from cloud.work.jobs.worker import JobWorker
from tests.bench.frame import Done, Run
from tests.builders.counting_jobs import KINDS, CountPayload, CountState
from tests.builders.job_rows import new_job
from tests.builders.parts import make_parts
from tests.harness.postgresql import postgresql_running

BATCH = 10
"""Jobs of one claim, as pgqueuer's default. Twice as many may run at a time, the least that pgqueuer permits; it has no
limit unless one is set."""
JOBS = 1_000
TENANTS = 4
_POLL_S = 0.002

_CREATE = (
    "CREATE TABLE raw_jobs (id INTEGER PRIMARY KEY, payload TEXT NOT NULL, status TEXT NOT NULL, due_at BIGINT)",
    "CREATE INDEX raw_jobs_due ON raw_jobs (due_at) WHERE due_at IS NOT NULL",
)


class Nothing:
    """The work of a job that does nothing."""

    async def step(self, job: RunningJob[CountPayload, CountState]) -> Finish:
        return Finish()

    async def discard(self, job: RunningJob[CountPayload, CountState]) -> None:
        return


class Ours:
    """Our engine on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers = itertools.count(1)
        self._clock = SystemClock()
        kinds = {kind.name: kind for kind in KINDS}
        process = make_parts(database, self._clock)
        self._spans = process.shared(spans_of)
        listeners = [process.shared(ends_of).report]
        self._executor = JobExecutor(
            database, self._clock, kinds, lambda kind: Nothing(), listeners, result_days=30, spans=self._spans
        )

    async def run(self) -> Done:
        new = [new_job(f"job_{next(self._numbers):09d}", tenant_id=f"tnt_{n % TENANTS}") for n in range(JOBS)]
        async with self._database.transaction() as tx:
            await JobStore().enqueue(tx, new, self._clock.now_us())
            await refresh_statistics(tx, 0)  # as the cloud does every 10 s
        worker = JobWorker(self._database, self._clock, self._executor, 2 * BATCH, batch=BATCH)
        stopping = asyncio.Event()
        begun_s = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(worker.run(stopping))
            while worker.settled < JOBS:  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(_POLL_S)
            await self._spans.flush()  # `serve` does it once a second, and a run takes less
            elapsed_s = time.perf_counter() - begun_s
            stopping.set()
        return Done(JOBS, elapsed_s)


def measure_sqlite() -> tuple[Run, Run]:
    """Return two runs on SQLite: our engine, and the raw loop."""
    kept = ExitStack()
    atexit.register(kept.close)
    folder = Path(kept.enter_context(tempfile.TemporaryDirectory()))
    url = f"sqlite:///{folder / 'cloud.db'}"
    loop = new_service_loop()
    loop.run_until_complete(migrate(url, create=True))
    ours = Ours(loop.run_until_complete(open_database(url)))
    raw = sqlite3.connect(folder / "raw.db", isolation_level=None)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", *_CREATE):
        raw.execute(statement)
    tune_garbage_collector()
    return lambda: loop.run_until_complete(ours.run()), lambda: _raw_sqlite(raw)


def _raw_sqlite(raw: sqlite3.Connection) -> Done:
    raw.execute("DELETE FROM raw_jobs")
    raw.executemany("INSERT INTO raw_jobs VALUES (?, '{}', 'queued', 1)", [(number,) for number in range(JOBS)])
    begun_s = time.perf_counter()
    while True:
        raw.execute("BEGIN IMMEDIATE")
        claimed = raw.execute(
            "UPDATE raw_jobs SET status = 'running', due_at = NULL WHERE id IN"
            " (SELECT id FROM raw_jobs WHERE due_at <= ? ORDER BY due_at LIMIT ?) RETURNING id, payload",
            (1, BATCH),
        ).fetchall()
        raw.execute("COMMIT")
        if not claimed:
            return Done(JOBS, time.perf_counter() - begun_s)
        raw.execute("BEGIN IMMEDIATE")
        raw.executemany("UPDATE raw_jobs SET status = 'succeeded' WHERE id = ?", [(one[0],) for one in claimed])
        raw.execute("COMMIT")


def _postgresql(prepare: Callable[[str], Awaitable[Callable[[], Awaitable[Done]]]]) -> tuple[Run, Run]:
    """Return two runs on one server: our engine, and the run that `prepare` returns for the URL of a database."""
    kept = ExitStack()
    atexit.register(kept.close)
    cluster = kept.enter_context(postgresql_running())
    cluster.administer("CREATE DATABASE ours TEMPLATE template0", "CREATE DATABASE others TEMPLATE template0")
    loop = new_service_loop()
    loop.run_until_complete(migrate(cluster.url("ours"), create=True))
    ours = Ours(loop.run_until_complete(open_database(cluster.url("ours"))))
    other = loop.run_until_complete(prepare(cluster.url("others")))
    tune_garbage_collector()
    return lambda: loop.run_until_complete(ours.run()), lambda: loop.run_until_complete(other())  # type: ignore[arg-type]


def measure_postgresql() -> tuple[Run, Run]:
    """Return two runs on PostgreSQL: our engine, and the raw loop."""
    return _postgresql(_raw_postgresql)


def measure_pgqueuer() -> tuple[Run, Run]:
    """Return two runs on PostgreSQL: our engine, and pgqueuer."""
    return _postgresql(_pgqueuer)


async def _raw_postgresql(url: str) -> Callable[[], Awaitable[Done]]:
    raw = await asyncpg.connect(url)
    for statement in _CREATE:
        await raw.execute(statement)

    async def run() -> Done:
        await raw.execute("TRUNCATE raw_jobs")
        await raw.executemany("INSERT INTO raw_jobs VALUES ($1, '{}', 'queued', 1)", [(n,) for n in range(JOBS)])
        await raw.execute("ANALYZE raw_jobs")
        begun_s = time.perf_counter()
        while True:
            async with raw.transaction():
                claimed = await raw.fetch(
                    "UPDATE raw_jobs SET status = 'running', due_at = NULL WHERE id IN (SELECT id FROM raw_jobs"
                    " WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id, payload",
                    1,
                    BATCH,
                )
            if not claimed:
                return Done(JOBS, time.perf_counter() - begun_s)
            async with raw.transaction():
                ids = [one["id"] for one in claimed]
                await raw.execute("UPDATE raw_jobs SET status = 'succeeded' WHERE id = ANY ($1)", ids)

    return run


async def _pgqueuer(url: str) -> Callable[[], Awaitable[Done]]:
    raw, watching = await asyncpg.connect(url), await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(raw))
    await queries.install()

    async def run() -> Done:
        await raw.execute("TRUNCATE pgqueuer, pgqueuer_log")
        await queries.enqueue(["nothing"] * JOBS, [b"{}"] * JOBS, [0] * JOBS)
        await raw.execute("ANALYZE pgqueuer")
        queue = PgQueuer(AsyncpgDriver(raw))

        @queue.entrypoint("nothing")
        async def nothing(job: Job) -> None:
            return

        begun_s = time.perf_counter()
        running: asyncio.Task[Any] = asyncio.ensure_future(
            queue.qm.run(batch_size=BATCH, mode=QueueExecutionMode.drain)
        )
        while await watching.fetch("SELECT 1 FROM pgqueuer LIMIT 1"):  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(_POLL_S)
        elapsed_s = time.perf_counter() - begun_s
        await running
        return Done(JOBS, elapsed_s)

    return run
