"""A small fleet drives for a hundred days and more: the database stops growing, holds survive, custody verifies."""

from itertools import pairwise

import pytest

from cloud.access.retention import StorageRecord
from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.foundation.retention import HoldScope
from cloud.vehicles.custody.tables import batches, removed_ranges
from cloud.vehicles.ingest.tables import gateway_events
from tests.builders.ingest_cloud import OPERATOR
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.retention_world import RetentionWorld, day_of

DAYS = 108
HELD_DAYS = 10
"""Days on which the vehicle with the held gateway drives."""
SETTLED_DAY = 94
"""The day from which as much is deleted as arrives: the first data are past 90 days, and pages that became free in the
file of SQLite are in use again."""


@pytest.mark.finding("reliability-F")
async def test_database_of_a_small_fleet_is_flat_after_ninety_days(database: Database):
    fleet = [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in (1, 2, 3)]
    world = await RetentionWorld(database, *fleet).begin()
    await world.set_days(numerics=90, vehicle_events=90)
    hold = await world.retention.hold(OPERATOR, HoldScope.GATEWAY, "gw_1", "case 1")
    counts: list[tuple[int, int, int]] = []
    sizes: list[int] = []
    for day in range(DAYS):
        driving = fleet if day < HELD_DAYS else fleet[1:]
        await world.cloud.take(*[batch for gateway in driving for batch in day_of(gateway)])
        await world.sweep()
        counts.append((await world.count(observations), await world.count(batches), await world.count(gateway_events)))
        async with database.read() as tx:
            sizes.append(await StorageRecord().size_bytes(tx))
        world.pass_days(1)
    each_day = [(after - before) for (_, before, _), (_, after, _) in pairwise(counts)]
    assert set(each_day[HELD_DAYS:90]) == {10}, "nothing is deleted before its period is over"
    assert counts[90:] == [counts[90]] * (DAYS - 90), "as much is deleted as arrives"
    reports = await world.reports(rows=True)
    assert [report.findings for report in reports] == [[]] * 9
    removed = dict.fromkeys(("gw_1", "gw_2", "gw_3"), 0)
    for report in reports:
        removed[report.gateway_id] += report.removed
    assert removed == {"gw_1": 0, "gw_2": 5 * (DAYS - 91), "gw_3": 5 * (DAYS - 91)}
    if database.dialect == "sqlite":
        growth = [after - before for before, after in pairwise(sizes)]
        settled = growth[SETTLED_DAY:]
        assert sum(settled) / len(settled) < 0.2 * sum(growth[60:80]) / 20
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep()
    assert await world.findings() == []
    assert await world.count(observations) == 2 * 8 * 90, "the last 90 days"
    assert await world.count(batches) == 2 * 5 * 90 + 3, "and the rows at the ends of the lanes of the held gateway"
    assert await world.count(removed_ranges) == 3 * (2 * (DAYS - 90) + HELD_DAYS), "one for each lane and day"
