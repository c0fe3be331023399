"""A process whose children run one export as a job and are killed, each at another kind of step.

    python -m tests.harness.export_victim DATABASE_URL OBJECTS PAYLOAD

Every kind in `KINDS` is a place in an export: the step of the job, and what the worker does in it. A child is killed in
place of that. The next one has a clock that is set forward by more than a lease, claims the job and continues. At last
a child completes the job. A child is a fork, which needs no new start of Python.

It prints the id of the job and the kinds at which children were killed, as JSON.
"""

import asyncio
import itertools
import json
import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet  # noqa: F401  loaded once, and not by each child
import structlog

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database, open_database
from cloud.foundation.db.transaction import Transaction
from cloud.foundation.ids import UlidIds
from cloud.foundation.master_key import MasterKey
from cloud.foundation.objects import LocalObjects, local
from cloud.work.exports.schemas import ExportPayload, ExportState
from cloud.work.exports.work import ExportWork
from cloud.work.jobs import Advance, Finish, JobStore, RunningJob, job_kinds
from cloud.work.jobs.execution import LEASE_US, JobExecutor
from cloud.work.jobs.worker import JobWorker
from tests.builders.ingest_cloud import TENANT
from tests.builders.job_rows import new_job
from tests.builders.parts import make_parts
from tests.builders.statement_count import CountingDatabase
from tests.harness.webhook_victim import LaterClock

KINDS = (
    *(("begin", "statement"), ("begin", "commit")),
    *(("part", "flush"), ("part", "rename"), ("part", "transaction"), ("part", "statement"), ("part", "commit")),
    *(("join", "copy"), ("join", "rename"), ("joined", "transaction"), ("joined", "commit")),
    *(("finish", "remove"), ("finish", "transaction"), ("finish", "statement"), ("finish", "commit")),
)
"""Steps of an export, and what is done in them. `transaction` is before its begin, `commit` behind its commit."""
TIMES = {("part", "flush"): 6, ("part", "rename"): 4, ("join", "copy"): 9, ("finish", "remove"): 9}
"""The occurrence of a kind at which a child is killed; the second one unless it is named here, or the first one of
steps that occur once."""
ONCE = ("begin", "join", "joined", "finish")


class Place:
    """The place in an export that a child is in. The child is killed at the place `killed_at`."""

    def __init__(self, killed_at: tuple[str, str] | None) -> None:
        self.step = "claim"
        self._killed_at = killed_at
        self._seen: Counter[tuple[str, str]] = Counter()

    def passed(self, what: str) -> None:
        here = self.step, what
        self._seen[here] += 1
        if here == self._killed_at and self._seen[here] == TIMES.get(here, 1 if self.step in ONCE else 2):
            os.kill(os.getpid(), signal.SIGKILL)


class PlacedDatabase(CountingDatabase):
    """A database whose statements and commits are places."""

    def __init__(self, database: Database, place: Place) -> None:
        self._place = place
        self._count = 0
        super().__init__(database)

    @property
    def statements(self) -> int:
        return self._count

    @statements.setter
    def statements(self, count: int) -> None:
        self._count = count
        if count:
            self._place.passed("statement")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self._place.passed("transaction")
        async with super().transaction() as tx:
            yield tx
        self._place.passed("commit")


class PlacedWork(ExportWork):
    """An export whose steps are places."""

    def __init__(self, process: Any, place: Place) -> None:
        super().__init__(process)
        self._place = place

    async def step(self, job: RunningJob[ExportPayload, ExportState]) -> Advance[ExportState] | Finish:
        state = job.state
        self._place.step = "begin" if state.before_us is None else "part" if state.joined is None else "finish"
        return await super().step(job)


def place_files(place: Place) -> None:
    """Make what is done with the files of the object store a place."""
    join: Callable[..., Any] = LocalObjects.join

    async def placed_join(*arguments: Any) -> Any:
        place.step = "join"
        joined = await join(*arguments)
        place.step = "joined"
        return joined

    def placed(what: str, done: Callable[..., Any]) -> Callable[..., Any]:
        def do(*arguments: Any) -> Any:
            place.passed(what)
            return done(*arguments)

        return do

    os.fsync = placed("flush", os.fsync)
    Path.rename = placed("rename", Path.rename)  # type: ignore[method-assign]
    Path.unlink = placed("remove", Path.unlink)  # type: ignore[method-assign]
    local._append = placed("copy", local._append)
    LocalObjects.join = placed_join  # type: ignore[method-assign]


async def enqueue(url: str, job_id: str, payload: str) -> None:
    database = await open_database(url)
    try:
        new = new_job(job_id, kind="export.bulk", payload=payload, tenant_id=TENANT, client_id=None)
        async with database.transaction() as tx:
            await JobStore().enqueue(tx, [new], SystemClock().now_us())
    finally:
        await database.close()


async def work(url: str, objects: str, ahead_us: int, place: Place) -> None:
    """Run the jobs that are due at a time that is `ahead_us` later than now."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    database = await open_database(url)
    try:
        placed, clock = PlacedDatabase(database, place), LaterClock(ahead_us)
        sections: Any = {"objects_dir": objects}
        process = make_parts(placed, clock, master=MasterKey(bytes(32)), sections=sections)
        place_files(place)
        executor = JobExecutor(placed, clock, job_kinds(), lambda kind: PlacedWork(process, place), result_days=30)
        await JobWorker(placed, clock, executor, slots=1).step()
    finally:
        await database.close()


def run_child(url: str, objects: str, ahead_us: int, killed_at: tuple[str, str] | None) -> int:
    """Run one child; return its exit status."""
    child = os.fork()
    if not child:
        try:
            asyncio.run(work(url, objects, ahead_us, Place(killed_at)))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(url: str, objects: str, payload: str) -> dict[str, Any]:
    killed = []
    job_id, numbers = UlidIds(SystemClock()).new("job"), itertools.count()
    asyncio.run(enqueue(url, job_id, payload))
    for kind in KINDS:
        status = run_child(url, objects, next(numbers) * 2 * LEASE_US, kind)
        assert status in (0, -signal.SIGKILL), f"a child ended with {status}"
        if status:
            killed.append(kind)
    assert run_child(url, objects, next(numbers) * 2 * LEASE_US, None) == 0
    return {"job": job_id, "killed": killed}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:4])))
