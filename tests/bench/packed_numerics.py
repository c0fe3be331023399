"""`numerics.bytes_with_batch.*`: the bytes of a numeric at rest with its signed batch, some days after its arrival.

The numerics are those of ten simulated vehicles under full monitoring, in a batch for each second. The value covers the
minute rows and the days of the lanes with their indexes, the packed objects, and the index of these. The spread is the
same before: from the bytes in minute rows alone to those with the batches as rows.
"""

import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path

import structlog
from sqlalchemy import func, select

from cloud.clinical.observations import lane_days, observation_minutes
from cloud.clinical.waveforms import waveform_objects, waveform_runs
from cloud.foundation.db import Database, migrate, open_database
from cloud.foundation.objects import LocalObjects
from cloud.vehicles.custody import batches
from cloud.vehicles.packing.packer import BatchPacker
from tests.bench.frame import Figure, plain_figure
from tests.bench.numerics import POSTGRESQL_BYTES_MAX, SECOND_US, SQLITE_BYTES_MAX, sent_by, stored_bytes
from tests.builders.ingest_cloud import CloudUnderTest, StoppedClock
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle
from tests.builders.minute_rows import AFTER_DAYS, DAY_US, compact
from tests.harness.postgresql import postgresql_running

NAMES = ("numerics.bytes_with_batch.sqlite", "numerics.bytes_with_batch.postgresql")
VEHICLES = 10
SECONDS = 360
GROUP_S = 2
"""Seconds of which the batches are stored in one transaction."""


def measure_sqlite() -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'cloud.db'}"
        return asyncio.run(_measure(NAMES[0], url, Path(folder) / "objects", SQLITE_BYTES_MAX))


def measure_postgresql() -> Figure:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(postgresql_running())
        cluster.administer("CREATE DATABASE ours TEMPLATE template0")
        return asyncio.run(_measure(NAMES[1], cluster.url("ours"), folder / "objects", POSTGRESQL_BYTES_MAX))


async def _measure(name: str, url: str, folder: Path, limit: float) -> Figure:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    await migrate(url, create=True)
    database = await open_database(url)
    try:
        gateways = [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in range(1, VEHICLES + 1)]
        cloud = await CloudUnderTest(database, clock=StoppedClock()).register(*gateways)
        sent = [list(sent_by(gateway, SECONDS)) for gateway in gateways]
        for begin in range(0, SECONDS, GROUP_S):
            cloud.clock.at_us = NOW_US + (begin + GROUP_S) * SECOND_US
            await cloud.take(*[one for of_gateway in sent for one in of_gateway[begin : begin + GROUP_S]])
        count = sum(one.batch.count for of_gateway in sent for one in of_gateway)
        await compact(cloud)
        values = await stored_bytes(database, observation_minutes.name, lane_days.name)
        signed = await stored_bytes(database, batches.name)
        cloud.clock.at_us = NOW_US + (AFTER_DAYS + 1) * DAY_US
        store = LocalObjects(folder)
        packed = await BatchPacker(database, store, cloud.clock, cloud.ids, AFTER_DAYS, rest_s=0).walk()
        assert packed == sum(map(len, sent)), f"{packed} batches were packed"
        rest = await _packed_bytes(database)
    finally:
        await database.close()
    unit = "bytes (spread: without its batch, and with it as a row)"
    spread = (values / count, (values + signed) / count)
    return plain_figure(name, unit, (values + rest) / count, spread, limit=limit)


async def _packed_bytes(database: Database) -> int:
    """Return the bytes of the objects and of their index. The room of deleted rows is used by new ones."""
    async with database.read() as tx:
        assert not (await tx.execute(select(func.count()).select_from(batches))).scalar(), "every batch is packed"
        objects = int((await tx.execute(select(func.sum(waveform_objects.c.size_bytes)))).scalar())
    return objects + await stored_bytes(database, waveform_runs.name, waveform_objects.name)
