"""`numerics.bytes_at_rest.*`: the bytes of a stored numeric after it has moved to a row of its channel and minute.

The numerics are those of a simulated vehicle under full monitoring, in a batch for each second. The value covers the
minute rows, their indexes and the days of the lane. The spread is from the bytes of the same numerics in single rows to
these and the batches that they arrived in. Signed batches have a retention period of their own.

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

from cloud.clinical.observations.tables import lane_days, observation_minutes, observations
from cloud.foundation.db import Database, migrate, open_database
from cloud.vehicles.custody.tables import batches
from protocols.device_time import absolute_time_at
from protocols.observation import Observation
from protocols.uplink.envelope import Envelope
from protocols.uplink.lanes import Lane, lane_of
from protocols.uplink.observations import DeviceObservations, DeviceRef
from simulators.agents.kinds import description_of
from simulators.fleet.profiles import PROFILES, ProfileName
from simulators.fleet.recording import RECORDING_S, Recording
from tests.bench.frame import Figure
from tests.builders.ingest_cloud import CloudUnderTest, StoppedClock
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, section
from tests.builders.minute_rows import compact
from tests.harness.postgresql import postgresql_running

NAMES = ("numerics.bytes_at_rest.sqlite", "numerics.bytes_at_rest.postgresql")
MINUTES = 60
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
        return asyncio.run(_measure(NAMES[0], f"sqlite:///{Path(folder) / 'cloud.db'}"))


def measure_postgresql() -> Figure:
    with ExitStack() as stack:
        cluster = stack.enter_context(postgresql_running())
        cluster.administer("CREATE DATABASE ours TEMPLATE template0")
        return asyncio.run(_measure(NAMES[1], cluster.url("ours")))


async def _measure(name: str, url: str) -> Figure:
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
    return Figure(
        name=name,
        value=values / count,
        unit="bytes (spread: as a single row, and with its batch)",
        reference=None,
        reference_is="–",
        ratio=None,
        spread=(single / count, (single + signed) / count),
        runs=1,
    )


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
