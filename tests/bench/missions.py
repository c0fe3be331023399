"""Time until a vehicle has a call: from the request to the cloud to the durable draft that the tablets show.

Issue «The crew's page», Deliver 3: with coverage, within a second. Cloud, mosquitto and gateway share this process's
loop, and each call opens a draft, so a vehicle of its own is faster.
"""

import asyncio
import logging
import statistics
import tempfile
import time
from pathlib import Path

import structlog

from cloud.foundation.db import migrate, open_database
from tests.bench.frame import Figure, plain_figure
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.uplink_gateway import gateway_store
from tests.harness.broker import GATEWAY, broker_running
from tests.harness.mission_world import MissionWorld

NAME = "mission.in_vehicle"
CALLS = 20
"""Fewer than the missions of an hour for which a gateway opens a draft."""
MS_MAX = 1000.0


def measure_missions() -> list[Figure]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="argus-bench-missions-") as folder:
        return [asyncio.run(_measure(Path(folder)))]


async def _measure(folder: Path) -> Figure:
    url = f"sqlite:///{folder / 'cloud.db'}"
    await migrate(url, create=True)
    database = await open_database(url)
    async with broker_running(folder / "broker") as broker, gateway_store(folder / "gateway") as gateway:
        cloud = await CloudUnderTest(database).register()
        await cloud.register_key(GATEWAY, gateway.identity.public_key)
        world = MissionWorld(cloud, broker, gateway)
        async with world.ingesting(), world.coverage():
            milliseconds = [await _call_ms(world, number) for number in range(CALLS)]
    await database.close()
    spread = statistics.median(milliseconds), max(milliseconds)
    return plain_figure(NAME, "ms (longest; spread: p50, longest)", max(milliseconds), spread, limit=MS_MAX)


async def _call_ms(world: MissionWorld, number: int) -> float:
    stored = asyncio.Event()
    world.missions.watchers.add(stored)
    begin_s = time.perf_counter()
    encounter = await world.dispatch(f"cad_{number}")
    await asyncio.wait_for(stored.wait(), 60.0)
    elapsed_ms = 1000 * (time.perf_counter() - begin_s)
    world.missions.watchers.discard(stored)
    assert world.state(encounter) is not None
    return elapsed_ms
