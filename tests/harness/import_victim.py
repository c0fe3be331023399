"""A process whose children run imports and are killed.

    python -m tests.harness.import_victim DATABASE_URL FOLDER each
    python -m tests.harness.import_victim DATABASE_URL FOLDER ROWS

A step is a statement, the begin or the commit of a transaction, or a flush or rename of a file. With `each`, the
children are killed at step 1, 2 and so on, each with an import of its own, until a child ends before its step; after
each kill another child finishes the import. With a number, one import of so many devices is killed at random steps
until it has ended. The process prints the number of children that died by SIGKILL, and the seconds that it took.
"""

import asyncio
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.db import open_database
from cloud.foundation.objects import LocalObjects, ReceivedPieces
from cloud.foundation.viewer import Actor
from cloud.work.imports import work as work_module
from cloud.work.jobs import JobStore, job_kinds
from cloud.work.jobs.ending import ends_of
from cloud.work.jobs.execution import LEASE_US, JobExecutor
from cloud.work.jobs.worker import JobWorker
from tests.builders.cloud_people import household
from tests.builders.imports import device, ndjson
from tests.builders.job_rows import new_job
from tests.builders.parts import make_parts
from tests.harness.forked_child import run_forked
from tests.harness.placed_database import PlacedDatabase
from tests.harness.steps import Steps, file_steps
from tests.harness.webhook_victim import LaterClock

SENDER = Actor("tnt_north", "org_north", subject="operator")
STEP_MAX = 3_000
"""Step up to which a child of a large import is killed: a fifth of an import of 100,000 devices."""
PIECE_BYTES = 1 << 20


async def prepare(url: str) -> None:
    database = await open_database(url)
    try:
        await household(database, LaterClock(0))
    finally:
        await database.close()


async def enqueue(url: str, folder: Path, job_id: str, rows: Sequence[dict[str, object]]) -> None:
    """Store the file of an import, and enqueue its job."""
    database, clock = await open_database(url), LaterClock(0)
    try:
        ids = make_parts(database, clock).ids
        received, data = ReceivedPieces(LocalObjects(folder), ids, clock), ndjson(*rows)
        sent = [await received.keep(SENDER, data[at : at + PIECE_BYTES]) for at in range(0, len(data), PIECE_BYTES)]
        listed = ",".join(f'"{upload_id}"' for upload_id in sent)
        values = {"tenant_id": SENDER.tenant_id, "organization_id": SENDER.organization_id, "client_id": None}
        payload = f'{{"data":"devices","uploads":[{listed}]}}'
        async with database.transaction() as tx:
            await JobStore().enqueue(
                tx, [new_job(job_id, kind="import.bulk", payload=payload, **values)], clock.now_us()
            )
    finally:
        await database.close()


async def work(url: str, folder: Path, ahead_us: int, steps: Steps) -> None:
    """Run the imports that are due at a time that is `ahead_us` later than now."""
    database = await open_database(url)
    try:
        stepped, clock = PlacedDatabase(database, steps.in_database), LaterClock(ahead_us)
        file_steps(steps)
        process = make_parts(stepped, clock, sections={"objects_dir": str(folder)})  # type: ignore[arg-type, dict-item]
        listeners = [ends_of(process).report]
        executor = JobExecutor(stepped, clock, job_kinds(), lambda kind: kind.work(process), listeners, result_days=30)
        await JobWorker(stepped, clock, executor, slots=1).step()
    finally:
        await database.close()


def run_child(url: str, folder: Path, ahead_us: int, killed_at: int) -> int:
    """Run one child; return its exit status."""
    return run_forked(lambda: work(url, folder, ahead_us, Steps(killed_at)))


def kill_at_each_step(url: str, folder: Path) -> int:
    work_module.CHUNK_ROWS = 2
    killed = 0
    while True:
        rows = [device(number, serial_number=f"SN-{killed}-{number}") for number in range(5)]
        rows[3]["device_class"] = "unheard"
        asyncio.run(enqueue(url, folder, f"job_{killed}", rows))
        status = run_child(url, folder, 2 * killed * 2 * LEASE_US, killed + 1)
        assert status in (0, -signal.SIGKILL), f"a child ended with {status}"
        if status == 0:
            return killed
        killed += 1
        assert run_child(url, folder, (2 * killed - 1) * 2 * LEASE_US, 0) == 0


def kill_at_random(url: str, folder: Path, rows: int) -> int:
    asyncio.run(enqueue(url, folder, "job_large", [device(number) for number in range(rows)]))
    chance, killed = random.Random(rows), 0
    while True:
        status = run_child(url, folder, killed * 2 * LEASE_US, chance.randint(1, STEP_MAX))
        assert status in (0, -signal.SIGKILL), f"a child ended with {status}"
        if status == 0:
            return killed
        killed += 1


def main(url: str, folder: Path, what: str) -> None:
    asyncio.run(prepare(url))
    began_s = time.monotonic()
    killed = kill_at_each_step(url, folder) if what == "each" else kill_at_random(url, folder, int(what))
    print(killed, f"{time.monotonic() - began_s:.1f}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
