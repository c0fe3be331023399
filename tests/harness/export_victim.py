"""A process whose children run one export as a job and are killed, each at another kind of step.

    python -m tests.harness.export_victim DATABASE_URL OBJECTS PAYLOAD large|small

Every kind in `KINDS` is a place in an export: the step of the job, and what the worker does in it. A child is killed in
place of that. The next one has a clock that is set forward by more than a lease, claims the job and continues. At last
a child completes the job. A child is a fork, which needs no new start of Python. A `large` export has many parts, a
`small` one at least two.

It prints the id of the job and the kinds at which children were killed, as JSON.
"""

import asyncio
import itertools
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet  # noqa: F401  loaded once, and not by each child
import structlog

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import open_database
from cloud.foundation.ids import UlidIds
from cloud.foundation.master_key import MasterKey
from cloud.foundation.objects import LocalObjects, local
from cloud.work.exports.schemas import ExportPayload, ExportState
from cloud.work.exports.work import ExportWork
from cloud.work.jobs import Advance, Finish, JobStore, RunningJob, job_kinds
from cloud.work.jobs.ending import ends_of
from cloud.work.jobs.execution import LEASE_US, JobExecutor
from cloud.work.jobs.worker import JobWorker
from tests.builders.ingest_cloud import TENANT
from tests.builders.job_rows import new_job
from tests.builders.parts import make_parts
from tests.harness.forked_child import run_forked
from tests.harness.placed_database import PlacedDatabase
from tests.harness.webhook_victim import LaterClock

KINDS = (
    *(("begin", "statement"), ("begin", "commit")),
    *(("part", "flush"), ("part", "rename"), ("part", "transaction"), ("part", "statement"), ("part", "commit")),
    *(("join", "copy"), ("join", "rename"), ("joined", "transaction"), ("joined", "commit")),
    *(("finish", "remove"), ("finish", "transaction"), ("finish", "statement"), ("finish", "commit")),
)
"""Steps of an export, and what is done in them. `transaction` is before its begin, `commit` behind its commit."""
TIMES: dict[str, dict[tuple[str, str], int]] = {
    "large": {
        **dict.fromkeys((kind for kind in KINDS if kind[0] == "part"), 2),
        ("part", "flush"): 6,
        ("part", "rename"): 4,
        ("join", "copy"): 9,
        ("finish", "remove"): 9,
    },
    "small": {},
}
"""The occurrence of a kind at which a child is killed, by the size of the export; the first one unless it is named."""


class Place:
    """The place in an export that a child is in. The child is killed at the place `killed_at`."""

    def __init__(self, killed_at: tuple[str, str] | None, times: Mapping[tuple[str, str], int]) -> None:
        self.step = "claim"
        self._killed_at = killed_at
        self._times = times
        self._seen: Counter[tuple[str, str]] = Counter()

    def passed(self, what: str) -> None:
        here = self.step, what
        self._seen[here] += 1
        if here == self._killed_at and self._seen[here] == self._times.get(here, 1):
            os.kill(os.getpid(), signal.SIGKILL)


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
        placed, clock = PlacedDatabase(database, place.passed), LaterClock(ahead_us)
        sections: Any = {"objects_dir": objects}
        process = make_parts(placed, clock, master=MasterKey(bytes(32)), sections=sections)
        place_files(place)
        placed_work, listeners = PlacedWork(process, place), [ends_of(process).report]
        executor = JobExecutor(placed, clock, job_kinds(), lambda kind: placed_work, listeners, result_days=30)
        await JobWorker(placed, clock, executor, slots=1).step()
    finally:
        await database.close()


def run_child(url: str, objects: str, ahead_us: int, killed_at: tuple[str, str] | None, size: str) -> int:
    """Run one child; return its exit status."""
    return run_forked(lambda: work(url, objects, ahead_us, Place(killed_at, TIMES[size])))


def main(url: str, objects: str, payload: str, size: str) -> dict[str, Any]:
    killed = []
    job_id, numbers = UlidIds(SystemClock()).new("job"), itertools.count()
    asyncio.run(enqueue(url, job_id, payload))
    for kind in KINDS:
        status = run_child(url, objects, next(numbers) * 2 * LEASE_US, kind, size)
        assert status in (0, -signal.SIGKILL), f"a child ended with {status}"
        if status:
            killed.append(kind)
    assert run_child(url, objects, next(numbers) * 2 * LEASE_US, None, size) == 0
    return {"job": job_id, "killed": killed}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:5])))
