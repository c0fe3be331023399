"""Exports of 100,000 and of 1,000,000 observations: their speed, their memory, and the same file after a SIGKILL."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from cloud.foundation.db import migrate, open_database
from tests.builders.encounter_reading import assigned
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle

pytestmark = pytest.mark.skipif("ARGUS_SOAK" not in os.environ, reason="runs with make soak")

SIZES = (100_000, 1_000_000)
MEMORY_MB_MAX = 150.0
GROWTH_MB_MAX = 60.0
"""Memory of the large export above that of the small one: pages of the database that the process keeps, and nothing
that grows with the rows, of which it has 900,000 more."""
RATES = {"ndjson": 100_000.0, "parquet": 100_000.0, "fhir_ndjson": 50_000.0}
"""Rows a second of processor time."""
TURN_S_MAX = 1.0
BATCH, BATCHES = 500, 4


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folders = {size: tmp_path_factory.mktemp(str(size)) for size in SIZES}
    for size, folder in folders.items():
        asyncio.run(_fill(folder, size))
    return folders


async def _fill(folder: Path, size: int) -> None:
    url = f"sqlite:///{folder / 'cloud.db'}"
    await migrate(url, create=True)
    database = await open_database(url)
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(gateway)
    for number in range(size // (BATCH * BATCHES)):
        values = [float(60 + (number + each) % 40) for each in range(BATCH)]
        await cloud.take(*(gateway.send(*values) for _ in range(BATCHES)))
    await assigned(cloud)
    await database.close()


def _command(folder: Path, form: str) -> list[str]:
    before_us = 9_000_000_000_000_000
    url = f"sqlite:///{folder / 'cloud.db'}"
    module = (sys.executable, "-m", "tests.harness.export_worker")
    return [*module, url, str(folder / "objects"), form, str(before_us), str(folder / f"{form}.state")]


async def _export(folder: Path, form: str) -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(*_command(folder, form), stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(300):
        output, _ = await child.communicate()
    assert child.returncode == 0
    found: dict[str, Any] = json.loads(output)
    return found


async def _kill_at_part(folder: Path, form: str, parts: int) -> None:
    """Start an export, and kill its process when it has stored so many further states."""
    child = await asyncio.create_subprocess_exec(*_command(folder, form), stdout=asyncio.subprocess.PIPE)
    assert child.stderr is None
    state, seen = folder / f"{form}.state", 0
    before = state.read_text() if state.exists() else ""
    async with asyncio.timeout(120):
        while seen < parts and child.returncode is None:
            await asyncio.sleep(0.01)
            now = state.read_text() if state.exists() else ""
            seen, before = seen + (now != before), now
    child.send_signal(signal.SIGKILL)
    await child.wait()


@pytest.mark.parametrize("form", RATES)
async def test_export_is_fast_in_bounded_memory_and_the_same_after_kills(databases: dict[int, Path], form: str) -> None:
    small, large = [await _export(databases[size], form) for size in SIZES]
    print(f"export of {form}: {large}")
    assert large["rows"] >= SIZES[1]
    assert large["rows_per_s"] >= RATES[form]
    assert large["memory_mb"] <= MEMORY_MB_MAX
    assert large["memory_mb"] - small["memory_mb"] <= GROWTH_MB_MAX
    assert large["longest_turn_s"] <= TURN_S_MAX
    (databases[SIZES[1]] / f"{form}.state").unlink()
    for parts in (1, 3, 2):
        await _kill_at_part(databases[SIZES[1]], form, parts)
    resumed = await _export(databases[SIZES[1]], form)
    assert resumed["sha256"] == large["sha256"]
