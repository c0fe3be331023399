"""The story of an ingest that is killed while it stores numerics and waveforms: nothing is lost, and nothing is
doubled."""

import asyncio
import json
import os
import sys
from collections.abc import Collection
from pathlib import Path
from unittest.mock import patch

from cloud.clinical.devices import Devices
from cloud.clinical.observations.export import export_observations
from cloud.clinical.waveforms import (
    NUMERICS,
    ORPHAN_US,
    READERS_US,
    WAVEFORMS,
    OrphanSweeper,
    sweeping,
    waveform_objects,
    waveform_runs,
)
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects
from cloud.vehicles.custody import batches, lanes
from cloud.vehicles.ingest.staged_object import STAGED
from cloud.vehicles.verification.check import CustodyCheck
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.received_batches import RECEIVED
from tests.harness.waveform_victim import VALUES, values_of

SEED = int(os.environ.get("ARGUS_SEED", "20261128"))


async def assert_batches_survive_kills(
    database: Database,
    database_url: str,
    folder: Path,
    kills: int,
    *,
    staged: bool = False,
    steps: Collection[str] = (),
) -> None:
    """Kill an ingest `kills` times, each at another step, and compare what is stored with what was sent. `staged`: it
    stages the batches that follow others. `steps` are the names of steps at which at least one kill must have been."""
    store = LocalObjects(folder / "objects")
    cloud = await CloudUnderTest(database, objects=store).register(GatewayInVehicle())
    words: tuple[str, ...] = ("-m", "tests.harness.waveform_victim", database_url, str(folder), str(kills), str(SEED))
    words += ("staged",) if staged else ()
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0, f"seed {SEED}"
    result = json.loads(printed.splitlines()[-1])
    killed, count = result["killed"], result["acknowledged"]
    assert len(killed) == kills
    missed = sorted(set(steps).difference(killed))
    assert not missed, f"seed {SEED}: no child was killed at {missed}, only at {sorted(set(killed))}"
    for lane in Lane.NUMERIC, Lane.WAVEFORM:
        assert await held_sequences(cloud, lane) == list(range(1, count[lane.value] + 1)), f"seed {SEED}"
    check = CustodyCheck(database, cloud.clock, OPERATOR, objects=store, with_rows=True)
    reports = {one.lane: (one.intact, one.batches, one.through) async for one in check.reports()}
    assert reports == {lane: (True, stored, stored) for lane, stored in count.items()}
    assert not [one async for page in store.pages(STAGED) for one in page]
    assert bool([one async for page in store.pages(NUMERICS) for one in page]) is staged
    await assert_export_has_each_value_once(cloud, store, count[Lane.NUMERIC.value], count[Lane.WAVEFORM.value])
    await assert_only_named_objects_stay(cloud, store, kills)


async def held_sequences(cloud: CloudUnderTest, lane: Lane) -> list[int]:
    """Return the sequence numbers of the stored batches of a lane, those of rows and those of runs."""
    (row,) = await cloud.rows(lanes, lanes.c.lane == lane.value)
    runs = await cloud.rows(waveform_runs, waveform_runs.c.lane_id == row.lane_id)
    single = await cloud.rows(batches, batches.c.lane_id == row.lane_id)
    packed = [sequence for run in runs for sequence in range(run.sequence, run.through_sequence + 1)]
    return sorted([*packed, *(one.sequence for one in single)])


async def assert_export_has_each_value_once(
    cloud: CloudUnderTest, store: LocalObjects, numerics: int, waveforms: int
) -> None:
    devices = Devices(cloud.ids)
    found = export_observations(cloud.database, OPERATOR, devices, RECEIVED, objects=store, hidden=True)
    documents = [document async for document in found]
    numeric = [one for one in documents if one["lane"] == Lane.NUMERIC.value]
    assert [(one["sequence"], one["index"], one["value"]) for one in numeric] == [
        (number + 1, place, values_of(number)[place]) for number in range(numerics) for place in range(VALUES)
    ]
    wave = [one["sequence"] for one in documents if one["lane"] == Lane.WAVEFORM.value]
    assert wave == list(range(1, waveforms + 1))
    assert len(documents) == len(numeric) + len(wave)


async def assert_only_named_objects_stay(cloud: CloudUnderTest, store: LocalObjects, kills: int) -> None:
    sweeper = OrphanSweeper(cloud.database, store, cloud.clock)
    # Each kill may have left an object for each of its two groups.
    with patch.object(sweeping, "ORPHANS_MAX", 2 * kills):
        for later_us in (ORPHAN_US, READERS_US):  # the first sweep abandons announced objects, the second removes them
            cloud.clock.at_us += later_us + 1_000_000
            await sweeper.sweep()
    left = {one.name for first in (WAVEFORMS, NUMERICS) async for page in store.pages(first) for one in page}
    named = {row.name: row.object_id for row in await cloud.rows(waveform_objects)}
    assert left == named.keys()
    assert {run.object_id for run in await cloud.rows(waveform_runs)} == set(named.values())
