"""A small fleet drives for a hundred days: the disk use stops growing, holds survive, custody verifies."""

from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from cloud.clinical.observations import observation_minutes, observations
from cloud.clinical.waveforms import WAVEFORMS, OrphanSweeper, waveform_objects, waveform_runs
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects
from cloud.foundation.retention import HoldScope
from cloud.vehicles.custody.tables import batches, removed_ranges
from cloud.vehicles.ingest.tables import gateway_events
from tests.builders.ingest_cloud import OPERATOR
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.retention_world import RetentionWorld, day_of

DAYS = 100
TABLES = (observations, observation_minutes, batches, waveform_runs, waveform_objects, gateway_events)
HELD_DAYS = 1
"""Days on which the vehicle with the held gateway drives. The objects of these days stay whole."""
SETTLED_DAY = 92
"""A day on which as much is deleted as arrives."""


async def content_bytes(database: Database) -> int:
    """Return the bytes of all rows and index entries of a SQLite file, without the free room in its pages."""
    async with database.read() as tx:
        return int((await tx.execute(text("SELECT sum(payload) FROM dbstat"))).scalar())


# The days of PostgreSQL are in test_minute_days: a hundred of them would take as long as all other tests of retention.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.finding("reliability-F")
async def test_disk_use_of_a_small_fleet_is_flat_after_ninety_days(database: Database, tmp_path: Path):
    fleet = [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in (1, 2, 3)]
    objects = LocalObjects(tmp_path / "objects")
    world = await RetentionWorld(database, *fleet, objects=objects).begin()
    orphans = OrphanSweeper(database, objects, world.cloud.clock)
    await world.set_days(numerics=90, vehicle_events=90)
    hold = await world.retention.hold(OPERATOR, HoldScope.GATEWAY, "gw_1", "case 1")
    counts: dict[int, tuple[int, ...]] = {}
    sizes: dict[int, int] = {}
    for day in range(DAYS):
        driving = fleet if day < HELD_DAYS else fleet[1:]
        await world.cloud.take(*[batch for gateway in driving for batch in day_of(gateway)])
        # Before day 90 nothing is due, so a run every ten days is enough.
        if day >= 90 or day % 10 == 0:
            await world.compact()
            await world.sweep()
            await orphans.sweep()
            counts[day] = tuple([await world.count(table) for table in TABLES])
            sizes[day] = await content_bytes(database)
        world.pass_days(1)
    growing = [sum(counts[day]) for day in counts if day <= 90]
    assert [after > before for before, after in pairwise(growing)] == [True] * 9
    settled = range(SETTLED_DAY, DAYS)
    assert {day: counts[day] for day in settled} == dict.fromkeys(settled, counts[SETTLED_DAY])
    stored = sum([len(page) async for page in objects.pages(WAVEFORMS)])
    assert stored == counts[SETTLED_DAY][TABLES.index(waveform_objects)] == 90 + HELD_DAYS + 1
    reports = await world.reports(rows=True)
    assert [report.findings for report in reports] == [[]] * 9
    removed = dict.fromkeys(("gw_1", "gw_2", "gw_3"), 0)
    for report in reports:
        removed[report.gateway_id] += report.removed
    assert removed == {"gw_1": 0, "gw_2": 5 * (DAYS - 91), "gw_3": 5 * (DAYS - 91)}
    before, after = (sizes[90] - sizes[60]) / 30, (sizes[DAYS - 1] - sizes[SETTLED_DAY]) / (DAYS - 1 - SETTLED_DAY)
    assert after < 0.3 * before, "only the records of removals grow"
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep()
    assert await world.findings() == []
    assert await world.count(batches) == 2 * 3 * 90 + 3, "and the rows at the ends of the lanes of the held gateway"
    assert await world.count(removed_ranges) == 3 * (2 * (DAYS - 90) + HELD_DAYS), "one for each lane and day"
