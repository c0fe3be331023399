"""Minute rows are deleted by the day of storing: as a whole partition where nothing of the day is kept."""

import asyncio

import pytest
from sqlalchemy import text

from cloud.access.tenancy import Tenancy
from cloud.clinical.assignments import AssignmentService
from cloud.clinical.epcr import Epcr
from cloud.clinical.observations import lane_days, observation_minutes
from cloud.clinical.observations.arrival_days import MINUTE_DAYS
from cloud.foundation.db import Database
from cloud.foundation.retention import HoldScope
from protocols.uplink.observations import DeviceRef
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, VEHICLE
from tests.builders.ingest_gateway import OXIMETER, GatewayInVehicle, readings, section
from tests.builders.retention_world import RetentionWorld, numerics
from tests.harness.eventually import WITHIN_S

CUFF = DeviceRef("8877665544332211", "Synthetic Cuff")


@pytest.fixture
async def world(database: Database, gateway: GatewayInVehicle) -> RetentionWorld:
    made = await RetentionWorld(database, gateway).begin()
    await made.compact()  # from this day on minute rows are allowed
    made.pass_days(10)
    return made


async def partitions(world: RetentionWorld) -> int:
    async with world.database.read() as tx:
        statement = text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'observation_minutes'::regclass")
        return int((await tx.execute(statement)).scalar())


async def test_days_of_minute_rows_are_deleted_one_after_the_other(world: RetentionWorld, gateway: GatewayInVehicle):
    await world.set_days(numerics=20)
    for _ in range(3):
        await world.cloud.take(numerics(gateway), numerics(gateway))
        world.pass_days(1)
    world.pass_days(9)
    await world.compact()
    assert await world.count(observation_minutes) == 3
    world.pass_days(8)
    left, days = [], []
    for _ in range(5):
        await world.sweep("numerics")
        left.append((await world.count(observation_minutes), await world.count(lane_days)))
        days.append(await partitions(world) if world.database.dialect == "postgresql" else left[-1][0])
        assert await world.findings() == []
        world.pass_days(1)
    assert left == [(3, 3), (2, 2), (1, 1), (0, 0), (0, 0)]
    assert days == [3, 2, 1, 0, 0], "partitions come and go"


async def test_day_with_a_held_encounter_keeps_its_minutes_and_no_others(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    clock, ids = world.cloud.clock, world.cloud.ids
    await world.set_days(numerics=20)
    for number in range(3):
        for device in (OXIMETER, CUFF):
            moved = section(
                readings(90.0 + number), device=device, wall_offset_us=gateway.now_us + number * 600_000_000
            )
            await world.cloud.take(gateway.send_sections([moved]))
    begun_us = clock.now_us() + 600_000_000
    encounter = await Epcr(world.database, clock, ids).begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE)
    await AssignmentService(world.database, clock, ids).assign(
        OPERATOR,
        device_id=(await world.cloud.device_ids())[OXIMETER.system_id],
        encounter_id=encounter.id,
        from_us=begun_us,
        until_us=begun_us + 60_000_000,
    )
    hold = await world.retention.hold(OPERATOR, HoldScope.ENCOUNTER, encounter.id, "case 1")
    world.pass_days(10)
    await world.compact()
    assert await world.count(observation_minutes) == 6
    world.pass_days(11)
    await world.sweep("numerics")
    (kept,) = await world.cloud.rows(observation_minutes)
    assert begun_us <= kept.observed_from_us < begun_us + 60_000_000
    assert await world.findings() == []
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep("numerics")
    assert await world.count(observation_minutes) + await world.count(lane_days) == 0


async def test_minute_rows_of_a_tenant_with_a_longer_period_and_of_a_held_gateway_are_kept(database: Database):
    held, other = GatewayInVehicle(), GatewayInVehicle(gateway="gw_other", key_seed=2)
    world = await RetentionWorld(database, held, other).begin()
    await Tenancy(database, world.cloud.clock, world.cloud.ids).add_tenant("Another", id="ten_other")
    await world.compact()
    world.pass_days(10)
    await world.set_days(numerics=20)
    await world.cloud.take(numerics(held), numerics(other))
    await world.retention.hold(OPERATOR, HoldScope.GATEWAY, "gw_test", "case 1")
    world.pass_days(10)
    await world.compact()
    world.pass_days(11)
    await world.sweep("numerics")
    assert await world.count(observation_minutes) == 1
    assert await world.count(lane_days) == 1
    assert await world.findings() == []
    await world.retention.set_period(OPERATOR, "numerics", None)
    world.pass_days(1)
    await world.sweep("numerics")
    assert await world.count(observation_minutes) == 1


@pytest.mark.pg
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_rows_of_a_day_are_deleted_while_changes_of_another_day_must_wait(database: Database):
    """A partition may be locked for minutes, for instance while it is written again."""
    held, other = GatewayInVehicle(), GatewayInVehicle(gateway="gw_other", key_seed=2)
    world = await RetentionWorld(database, held, other).begin()
    await world.compact()
    world.pass_days(10)
    await world.set_days(numerics=20)
    await world.retention.hold(OPERATOR, HoldScope.GATEWAY, "gw_test", "case 1")
    for _ in range(2):
        await world.cloud.take(numerics(held), numerics(other))
        world.pass_days(1)
    world.pass_days(9)
    await world.compact()
    assert await world.count(observation_minutes) == 4
    world.pass_days(10)
    later = max(row.day for row in await world.cloud.rows(lane_days))
    async with database.transaction() as changing:
        await changing.execute(text(f"LOCK TABLE {MINUTE_DAYS.name_of(later)} IN SHARE MODE"))
        async with asyncio.timeout(WITHIN_S):  # the table stays locked for as long
            await world.sweep("numerics")
    assert await world.count(observation_minutes) == 3
