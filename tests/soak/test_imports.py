"""Imports under kills: each row is imported once, whichever process is killed, also in a file of 100,000 devices."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from cloud.access.audit.tables import audit_entries
from cloud.clinical.devices import devices
from cloud.foundation.db import Database
from cloud.foundation.events.tables import outbox_events
from cloud.foundation.objects import LocalObjects, Results
from cloud.work.jobs.tables import jobs
from tests.harness.databases import database, database_url, migrated_sqlite, postgresql

__all__ = ["database", "database_url", "migrated_sqlite", "postgresql"]

pytestmark = pytest.mark.skipif("ARGUS_SOAK" not in os.environ, reason="runs with make soak")

LARGE = 100_000


async def run_victim(url: str, folder: Path, what: str) -> tuple[int, float]:
    """Run the children; return the number of kills, and the seconds that they took."""
    words = (sys.executable, "-m", "tests.harness.import_victim", url, str(folder), what)
    # A session of its own, so that its children end with it.
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, start_new_session=True)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 580)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode == 0
    killed, seconds = output.split()[-2:]
    return int(killed), float(seconds)


async def effects(database: Database) -> Mapping[str, int]:
    """Count the devices, and what each enrolment and each end of an import leaves once."""
    statements = {
        "devices": select(func.count()).select_from(devices),
        "enrolled": select(func.count()).where(audit_entries.c.action == "device.enrol"),
        "finished": select(func.count()).where(audit_entries.c.action == "import.finished"),
        "events": select(func.count()).where(outbox_events.c.type == "device.enrolled"),
        "open": select(func.count()).where(jobs.c.status != "succeeded"),
    }
    async with database.read() as tx:
        return {name: int((await tx.execute(statement)).scalar()) for name, statement in statements.items()}


async def results(database: Database, folder: Path) -> list[dict[str, Any]]:
    found = []
    async with database.read() as tx:
        ids = [row.id for row in await tx.execute(select(jobs.c.id))]
        kept = [await Results().find(tx, job_id) for job_id in ids]
    for one in kept:
        assert one is not None
        found.append(orjson.loads(await LocalObjects(folder).read(one.stored)))
    return found


@pytest.mark.contract("S-138")
async def test_import_killed_at_each_step_imports_each_row_once(database: Database, database_url: str, tmp_path: Path):
    folder = tmp_path / "objects"
    killed, seconds = await run_victim(database_url, folder, "each")
    print(f"imports killed at each of {killed} steps, {seconds:.0f} s")
    assert killed > 50
    found = await effects(database)
    rows = 3 * (killed + 1)
    assert found == {"devices": rows, "enrolled": rows, "finished": killed + 1, "events": rows, "open": 0}
    counts = {
        (one["created"], one["updated"], one["refused"], one["left_out"]) for one in await results(database, folder)
    }
    assert counts == {(3, 0, 1, 1)}
    assert [page async for page in LocalObjects(folder).pages("received")] == []


@pytest.mark.contract("S-138")
async def test_import_of_many_devices_killed_at_random_imports_each_row_once(
    database: Database, database_url: str, tmp_path: Path
):
    folder = tmp_path / "objects"
    killed, seconds = await run_victim(database_url, folder, str(LARGE))
    print(f"import of {LARGE} devices: {killed} kills, {seconds:.0f} s")
    assert killed >= 1
    found = await effects(database)
    assert found == {"devices": LARGE, "enrolled": LARGE, "finished": 1, "events": LARGE, "open": 0}
    (one,) = await results(database, folder)
    assert (one["created"], one["updated"], one["error_count"]) == (LARGE, 0, 0)
