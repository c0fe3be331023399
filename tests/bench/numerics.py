"""`numerics.bytes_at_rest.*`: the bytes of a stored numeric after it has moved to a row of its channel and minute.

The numerics are those of a simulated vehicle under full monitoring, in a batch for each second. The value covers the
minute rows, their indexes and the days of the lane. The spread is from the bytes of the same numerics in single rows to
these and the batches that they arrived in. Signed batches have a retention period of their own.

`numerics.bytes_at_rest_staged.*`: the same for numerics that ingest wrote to minute rows, eight seconds at a time,
as with eight hundred vehicles, after the rows of each channel and minute were merged. The spread is from these bytes to
those before the merge.

The size is that of the tables with their indexes, as the database itself reports it.
"""

import asyncio
import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import text

from cloud.clinical.observations.minutes.rewriting import DayRewriter
from cloud.clinical.observations.tables import lane_days, observation_minutes, observations
from cloud.foundation.db import Database, migrate, open_database
from cloud.foundation.objects import LocalObjects
from cloud.vehicles.custody.tables import batches
from protocols.device_time import absolute_time_at
from protocols.observation import Observation
from protocols.uplink.envelope import Envelope
from protocols.uplink.lanes import Lane, lane_of
from protocols.uplink.observations import DeviceObservations, DeviceRef
from simulators.agents.kinds import description_of
from simulators.fleet.profiles import PROFILES, ProfileName
from simulators.fleet.recording import RECORDING_S, Recording
from tests.bench.frame import Figure, plain_figure
from tests.builders.ingest_cloud import CloudUnderTest, StoppedClock
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, section
from tests.builders.minute_rows import compact, merge
from tests.harness.postgresql import postgresql_running

NAMES = (
    "numerics.bytes_at_rest.sqlite",
    "numerics.bytes_at_rest.postgresql",
    "numerics.bytes_at_rest_staged.sqlite",
    "numerics.bytes_at_rest_staged.postgresql",
)
SQLITE_BYTES_MAX, POSTGRESQL_BYTES_MAX = 60.0, 80.0
"""Limits of the bytes of a numeric at rest (issue 13, item 4)."""
MINUTES = 60
STAGED_MINUTES = 20
STAGED_S = 8
"""Seconds of numerics that ingest writes together when eight hundred vehicles send to two processes: about seven
values of a channel."""
GROUP = 20
"""Batches that are stored in one transaction."""
SECOND_US = 1_000_000
_SIZE = text(
    "SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree(CAST(:name AS text)::regclass)"
)
_PAGES = text(
    "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = :name)"
)
_PLAIN_SIZE = text("SELECT pg_total_relation_size(CAST(:name AS text)::regclass)")


def measure_sqlite() -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(NAMES[0], f"sqlite:///{Path(folder) / 'cloud.db'}", SQLITE_BYTES_MAX))


def measure_postgresql() -> Figure:
    with ExitStack() as stack:
        cluster = stack.enter_context(postgresql_running())
        cluster.administer("CREATE DATABASE ours TEMPLATE template0")
        return asyncio.run(_measure(NAMES[1], cluster.url("ours"), POSTGRESQL_BYTES_MAX))


def measure_staged_sqlite() -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'cloud.db'}"
        return asyncio.run(_measure_staged(NAMES[2], url, Path(folder) / "objects", SQLITE_BYTES_MAX))


def measure_staged_postgresql() -> Figure:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(postgresql_running())
        cluster.administer("CREATE DATABASE ours TEMPLATE template0")
        return asyncio.run(_measure_staged(NAMES[3], cluster.url("ours"), folder / "objects", POSTGRESQL_BYTES_MAX))


async def _measure_staged(name: str, url: str, folder: Path, limit: float) -> Figure:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    await migrate(url, create=True)
    database = await open_database(url)
    tables = (observation_minutes.name, lane_days.name)
    try:
        gateway = GatewayInVehicle()
        cloud = CloudUnderTest(database, clock=StoppedClock(), objects=LocalObjects(folder), staged=True)
        await cloud.register(gateway)
        envelopes = list(sent_by(gateway, STAGED_MINUTES * 60))
        for begin in range(0, len(envelopes), STAGED_S):
            cloud.clock.at_us = NOW_US + (begin + STAGED_S) * SECOND_US
            for envelope in envelopes[begin : begin + STAGED_S]:
                await cloud.arrive(envelope)
            await cloud.ingest.settle()
        count = sum(envelope.batch.count for envelope in envelopes)
        await compact(cloud)
        before = await stored_bytes(database, *tables)
        await merge(cloud)
        await DayRewriter(database).turn()
        held = sum(row.value_count for row in await cloud.rows(observation_minutes))
        assert held == count, f"{held} of {count} numerics are in minute rows"
        after = await stored_bytes(database, *tables)
    finally:
        await database.close()
    spread = (after / count, before / count)
    return plain_figure(name, "bytes (spread: to those before the merge)", after / count, spread, limit=limit)


async def _measure(name: str, url: str, limit: float) -> Figure:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    await migrate(url, create=True)
    database = await open_database(url)
    try:
        gateway = GatewayInVehicle()
        cloud = await CloudUnderTest(database, clock=StoppedClock()).register(gateway)
        envelopes = list(sent_by(gateway, MINUTES * 60))
        for begin in range(0, len(envelopes), GROUP):
            cloud.clock.at_us = NOW_US + (begin + GROUP) * SECOND_US
            await cloud.take(*envelopes[begin : begin + GROUP])
        count = sum(envelope.batch.count for envelope in envelopes)
        single = await stored_bytes(database, observations.name)
        moved = sum(await compact(cloud))
        assert moved == count, f"{moved} of {count} numerics moved"
        values = await stored_bytes(database, observation_minutes.name, lane_days.name)
        signed = await stored_bytes(database, batches.name)
    finally:
        await database.close()
    unit = "bytes (spread: as a single row, and with its batch)"
    spread = (single / count, (single + signed) / count)
    return plain_figure(name, unit, values / count, spread, limit=limit)


def sent_by(gateway: GatewayInVehicle, seconds: int) -> Iterator[Envelope]:
    """Yield a batch for each second, as a gateway that cuts its numerics by time sends them. A report reaches the
    gateway some milliseconds after it was measured."""
    profile = PROFILES[ProfileName.FULL]
    recording = Recording(profile, seed=1)
    late = random.Random(1)
    names = [description_of(kind) for kind in profile.kinds]
    devices = [DeviceRef(name.system_id.hex(), f"{name.manufacturer} {name.model}") for name in names]
    for number in range(seconds):
        sections: list[DeviceObservations] = []
        for report in recording.reports:
            if int(report.at_s) != number % int(RECORDING_S):
                continue
            at_s = number + report.at_s % 1
            measured = absolute_time_at(NOW_US + int(at_s * SECOND_US))
            found = report.observations(measured, at_s + late.uniform(0.002, 0.02))
            numerics: list[Observation] = [one for one in found if lane_of(one) is Lane.NUMERIC]
            if numerics:
                sections.append(section(numerics, device=devices[report.device], device_offset_us=0))
        if sections:
            yield gateway.send_sections(sections)


async def stored_bytes(database: Database, *tables: str) -> int:
    async with database.read() as tx:
        if database.dialect == "postgresql":
            found: list[Any] = []
            for table in tables:
                size = _SIZE if table == observation_minutes.name else _PLAIN_SIZE
                found.append((await tx.execute(size, {"name": table})).scalar())
            return sum(int(one) for one in found)
        return sum([int((await tx.execute(_PAGES, {"name": table})).scalar()) for table in tables])
