"""The story of an ingest that is killed while it stores waveforms: nothing is lost, and nothing is doubled."""

import asyncio
import os
import sys
from pathlib import Path
from unittest.mock import patch

from cloud.clinical.devices import Devices
from cloud.clinical.observations.export import export_observations
from cloud.clinical.waveforms import ORPHAN_US, WAVEFORMS, OrphanSweeper, sweeping, waveform_objects, waveform_runs
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects
from cloud.vehicles.ingest.staged_object import STAGED
from cloud.vehicles.verification.check import CustodyCheck
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.received_batches import RECEIVED
from tests.harness.waveform_victim import batches_of

SEED = int(os.environ.get("ARGUS_SEED", "20261128"))


async def assert_waveforms_survive_kills(
    database: Database, database_url: str, folder: Path, kills: int, *, staged: bool = False
) -> None:
    """Kill an ingest `kills` times, each at a random step, and compare what is stored with what was sent. `staged`: it
    stages the batches that follow others."""
    store = LocalObjects(folder / "objects")
    cloud = await CloudUnderTest(database, objects=store).register(GatewayInVehicle())
    words = ("-m", "tests.harness.waveform_victim", database_url, str(folder), str(kills), str(SEED))
    words += ("staged",) if staged else ()
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0, f"seed {SEED}"
    assert int(printed.split()[-1]) == kills
    count = batches_of(kills)
    runs = await cloud.rows(waveform_runs)
    held = [sequence for run in runs for sequence in range(run.sequence, run.through_sequence + 1)]
    assert held == list(range(1, count + 1)), f"seed {SEED}"
    (report,) = [one async for one in CustodyCheck(database, cloud.clock, OPERATOR, objects=store).reports()]
    assert (report.intact, report.batches, report.through) == (True, count, count)
    assert not [one async for page in store.pages(STAGED) for one in page]
    found = export_observations(database, OPERATOR, Devices(cloud.ids), RECEIVED, objects=store, hidden=True)
    assert [document["sequence"] async for document in found] == list(range(1, count + 1))
    await assert_only_named_objects_stay(cloud, store, kills)


async def assert_only_named_objects_stay(cloud: CloudUnderTest, store: LocalObjects, kills: int) -> None:
    cloud.clock.at_us += ORPHAN_US + 1_000_000
    # Each kill may have left an object for each of its two groups.
    with patch.object(sweeping, "ORPHANS_MAX", 2 * kills):
        await OrphanSweeper(cloud.database, store, cloud.clock).sweep()
    left = {one.name async for page in store.pages(WAVEFORMS) for one in page}
    named = {row.name: row.object_id for row in await cloud.rows(waveform_objects)}
    assert left == named.keys()
    assert {run.object_id for run in await cloud.rows(waveform_runs)} == set(named.values())
