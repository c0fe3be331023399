"""A small fleet drives for a hundred days: the disk use stops growing, holds survive, erased encounters verify as
erased, and custody verifies."""

import os
from base64 import b64encode
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from cloud.access.tenancy import Tenancy
from cloud.clinical.observations import observation_minutes, observations
from cloud.clinical.waveforms import WAVEFORMS, OrphanSweeper, waveform_objects, waveform_runs
from cloud.foundation.db import Database, DayPartitions
from cloud.foundation.retention import HoldScope
from cloud.vehicles.custody.tables import batches, removed_ranges
from cloud.vehicles.fleet import Fleet
from cloud.vehicles.ingest.tables import gateway_events
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.minute_rows import AFTER_DAYS
from tests.builders.packed_world import PackedWorld
from tests.builders.retention_world import day_of

DAYS = 100
TABLES = (observations, observation_minutes, batches, waveform_runs, waveform_objects, gateway_events)
# A hundred days of PostgreSQL take as long as all other tests of retention, so only `make soak` runs them.
DATABASES = ["sqlite", *([pytest.param("postgresql", marks=pytest.mark.pg)] if os.environ.get("ARGUS_SOAK") else [])]
HOUR_US = 3_600_000_000
HELD_DAYS = 1
"""Days on which the vehicle with the held gateway drives. The objects of these days stay whole."""
ERASED_ON = {1: 4, 40: 53}
"""Days with an encounter, and the day on which it is erased. The rest of the first day expires. The numerics of the
second are in minute rows by then, and their batches in packed objects."""
SETTLED_DAY = 93
"""A day on which as much is deleted as arrives."""


async def register_elsewhere(world: PackedWorld, gateway: GatewayInVehicle) -> None:
    """Register a gateway in a vehicle of its own."""
    await Tenancy(world.database, world.cloud.clock, world.cloud.ids).add_vehicle(
        OPERATOR, ORGANIZATION, "Synthetic 2", id="veh_held"
    )
    await Fleet(world.database, world.cloud.clock, world.cloud.ids).register(
        OPERATOR,
        organization_id=ORGANIZATION,
        vehicle_id="veh_held",
        public_key=b64encode(gateway.public_key).decode(),
        id=gateway.gateway,
    )


async def content_bytes(database: Database) -> int:
    """Return the bytes of all rows and index entries of a SQLite file, without the free room in its pages. On
    PostgreSQL, the size of the database after dead rows were freed."""
    if database.dialect == "postgresql":
        await database.run_alone("VACUUM FULL")
    counting = "sum(payload) FROM dbstat" if database.dialect == "sqlite" else "pg_database_size(current_database())"
    async with database.read() as tx:
        return int((await tx.execute(text(f"SELECT {counting}"))).scalar())


async def partitions(database: Database) -> int:
    """Return the number of days of which PostgreSQL has a partition of minute rows."""
    async with database.read() as tx:
        return len(await DayPartitions(observation_minutes).days(tx))


@pytest.mark.parametrize("database_url", DATABASES, indirect=True)
@pytest.mark.finding("reliability-F")
async def test_disk_use_of_a_small_fleet_is_flat_after_ninety_days(database: Database, tmp_path: Path):
    fleet = [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in (1, 2, 3)]
    world = PackedWorld(database, *fleet, folder=tmp_path / "objects")
    objects = world.store
    await world.cloud.register(*fleet[1:])
    await register_elsewhere(world, fleet[0])
    orphans = OrphanSweeper(database, objects, world.cloud.clock)
    await world.set_days(numerics=90, vehicle_events=90)
    hold = await world.retention.hold(OPERATOR, HoldScope.GATEWAY, "gw_1", "case 1")
    counts: dict[int, tuple[int, ...]] = {}
    sizes: dict[int, int] = {}
    days_of_minutes: dict[int, int] = {}
    for day in range(DAYS):
        driving = fleet if day < HELD_DAYS else fleet[1:]
        await world.cloud.take(*[batch for gateway in driving for batch in day_of(gateway)])
        if day in ERASED_ON:
            await world.begin_encounter(f"enc_{day}")
            await world.assign(world.cloud.clock.at_us, world.cloud.clock.at_us + HOUR_US, encounter=f"enc_{day}")
        for erased in [each for each, on in ERASED_ON.items() if on == day]:
            found = await world.erase(f"enc_{erased}")
            # Two gateways sent two batches of 100 values and two with a block of samples.
            assert (found.observations, found.batches, found.others) == (2 * 202, 2 * 4, 0)
            assert await world.findings() == []
        # Before day 90 nothing is due, so a run every ten days is enough.
        if day >= 90 or day % 10 == 0:
            await world.compact()
            await world.pack()
            await world.sweep()
            await world.keep_days()
            await orphans.sweep()
            counts[day] = tuple([await world.count(table) for table in TABLES])
            sizes[day] = await content_bytes(database)
            days_of_minutes[day] = await partitions(database)
        world.pass_days(1)
    growing = [sum(counts[day]) for day in counts if day <= 90]
    assert [after > before for before, after in pairwise(growing)] == [True] * 9
    settled = range(SETTLED_DAY, DAYS)
    assert {day: counts[day] for day in settled} == dict.fromkeys(settled, counts[SETTLED_DAY])
    stored = sum([len(page) async for page in objects.pages(WAVEFORMS)])
    packed = len(await world.object_names())
    assert stored + packed == counts[SETTLED_DAY][TABLES.index(waveform_objects)]
    assert (stored, packed) == (90 + HELD_DAYS, 90 - AFTER_DAYS - 1 + HELD_DAYS), "one day of both was erased"
    reports = await world.reports(rows=True)
    assert [report.findings for report in reports] == [[]] * 9
    removed = dict.fromkeys(("gw_1", "gw_2", "gw_3"), (0, 0))
    for report in reports:
        expired, erased = removed[report.gateway_id]
        removed[report.gateway_id] = expired + report.removed, erased + report.erased
    each = 5 * (DAYS - 91) - 4, 8
    assert removed == {"gw_1": (0, 0), "gw_2": each, "gw_3": each}, "four batches of each of the two days were erased"
    before, after = (sizes[90] - sizes[60]) / 30, (sizes[DAYS - 1] - sizes[SETTLED_DAY]) / (DAYS - 1 - SETTLED_DAY)
    assert after < 0.3 * before, "only the records of removals grow"
    if database.dialect == "postgresql":
        kept = days_of_minutes[SETTLED_DAY]
        assert 80 < kept < 90, "partitions come after compaction"
        assert {days_of_minutes[day] for day in settled} == {kept}, "and one goes for each that comes"
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep()
    assert await world.findings() == []
    assert await world.count(batches) == 2 * (90 + 2 * (AFTER_DAYS + 1)) + 3, (
        "events, the numerics of the last days, and the rows at the ends of the lanes of the held gateway"
    )
    lane_days = 3 * (2 * (DAYS - 90) + HELD_DAYS)
    assert await world.count(removed_ranges) == lane_days + 4, "one for each lane and day, two lanes of the erased day"
