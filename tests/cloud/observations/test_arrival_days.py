"""The table of observations is divided into days of arrival on PostgreSQL, and everything works on it as before."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, text

from cloud.clinical.observations import AHEAD_LEAST, days_ahead, may_add_days
from cloud.clinical.observations.arrival_days import KEPT_AHEAD, OBSERVATION_DAYS, DayKeeper, dividing_step
from cloud.clinical.observations.tables import UNDATED, observations
from cloud.foundation.db import Database, DatabaseUnavailable, migrate, open_database
from cloud.foundation.db import partitions as day_partitions
from cloud.foundation.steps import StepRunner
from cloud.vehicles.verification.check import CustodyCheck
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest, StoppedClock
from tests.builders.ingest_gateway import NOW_US, PLETH, GatewayInVehicle, section
from tests.builders.ingest_kinds import every_kind, one
from tests.builders.minute_rows import AFTER_DAYS, CHANNELS, DAY_US, compact, exported, seconds
from tests.harness.postgresql import PostgresqlCluster

pytestmark = pytest.mark.pg

TODAY = NOW_US // DAY_US


@pytest.fixture
async def database(postgresql: PostgresqlCluster) -> AsyncIterator[Database]:
    """Yield a PostgreSQL database of this test alone: one whose tables were divided is not used again."""
    with postgresql.database() as url:
        database = await open_database(url)
        yield database
        await database.close()


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


async def divide(cloud: CloudUnderTest) -> None:
    """Run the background step, and add the partitions of the next days."""
    clock = StoppedClock(cloud.clock.at_us)
    assert await StepRunner(cloud.database, clock, [dividing_step(cloud.database)]).turn(asyncio.Event())
    await keep(cloud)


async def keep(cloud: CloudUnderTest) -> int:
    """Let the keeper work until nothing is to do; return the number of changes."""
    changes = 0
    while True:
        async with cloud.database.transaction() as tx:
            done = await DayKeeper().work(tx, cloud.clock.at_us)
        if not done:
            return changes
        changes += done


async def days_of_rows(cloud: CloudUnderTest) -> list[tuple[str, int]]:
    """Return the table and the day of each observation, in the order of arrival."""
    place = (observations.c.lane_id, observations.c.sequence, observations.c.position)
    table = text("tableoid::regclass::text")
    async with cloud.database.read() as tx:
        return [tuple(row) for row in await tx.execute(select(table, observations.c.day).order_by(*place))]


async def partitions(cloud: CloudUnderTest) -> list[int]:
    async with cloud.database.read() as tx:
        return [*await OBSERVATION_DAYS.days(tx)]


async def findings(cloud: CloudUnderTest) -> list[Any]:
    check = CustodyCheck(cloud.database, cloud.clock, OPERATOR, with_rows=True)
    return [finding async for report in check.reports() for finding in report.findings]


async def test_existing_table_becomes_the_partition_of_observations_without_a_day(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_sections(every_kind()))
    before = await exported(cloud)
    async with cloud.database.read() as tx:
        file = (await tx.execute(text("SELECT pg_relation_filenode('observations')"))).scalar()
    await divide(cloud)
    assert await exported(cloud) == before
    async with cloud.database.read() as tx:
        assert (await tx.execute(text("SELECT pg_relation_filenode('observations_undated')"))).scalar() == file
    assert {table for table, _ in await days_of_rows(cloud)} == {"observations_undated"}


async def test_new_numerics_lie_in_the_partition_of_their_day_of_arrival(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await divide(cloud)
    waves = section([one(PLETH, None, samples=bytes(range(20)))])
    await cloud.take(gateway.send(97.0), gateway.send_sections([waves], lane=Lane.WAVEFORM))
    cloud.clock.at_us += DAY_US
    await cloud.take(gateway.send(96.0))
    name = OBSERVATION_DAYS.name_of
    assert sorted(await days_of_rows(cloud)) == [
        (name(TODAY), TODAY),
        (name(TODAY + 1), TODAY + 1),
        ("observations_undated", UNDATED),
    ]


async def test_readers_and_the_audit_see_all_partitions(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(*seconds(gateway, 3))
    await divide(cloud)
    await cloud.take(*seconds(gateway, 3, first=3))
    cloud.clock.at_us += DAY_US
    await cloud.take(*seconds(gateway, 3, first=6))
    rows = await exported(cloud)
    assert [row["sequence"] for row in rows[:: len(CHANNELS)]] == list(range(1, 10))
    assert await findings(cloud) == []


async def test_batch_is_stored_without_a_day_when_its_partition_is_missing(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await divide(cloud)
    cloud.clock.at_us += (KEPT_AHEAD + 1) * DAY_US
    await cloud.take(gateway.send(97.0))
    assert await days_of_rows(cloud) == [("observations_undated", UNDATED)]
    await keep(cloud)
    await cloud.take(gateway.send(96.0))
    assert [day for _, day in await days_of_rows(cloud)] == [UNDATED, TODAY + KEPT_AHEAD + 1]


async def test_repeated_batch_adds_no_row_to_a_partition(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await divide(cloud)
    envelope = gateway.send(97.0)
    await cloud.take(envelope)
    await cloud.take(envelope)
    assert len(await days_of_rows(cloud)) == 1


async def test_partition_is_dropped_when_its_values_have_moved_to_minute_rows(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await divide(cloud)
    await cloud.take(*seconds(gateway, 90))
    before = await exported(cloud)
    cloud.clock.at_us += (AFTER_DAYS + 1) * DAY_US
    await keep(cloud)
    assert min(await partitions(cloud)) == TODAY, "it still has rows"
    assert sum(await compact(cloud, now_us=cloud.clock.at_us)) == 90 * len(CHANNELS)
    await keep(cloud)
    assert min(await partitions(cloud)) == TODAY + AFTER_DAYS
    assert await exported(cloud) == before
    assert await findings(cloud) == []


async def test_partitions_are_added_ahead_and_counted(cloud: CloudUnderTest):
    async with cloud.database.read() as tx:
        assert await days_ahead(tx, NOW_US) is None
    await divide(cloud)
    async with cloud.database.read() as tx:
        assert await days_ahead(tx, NOW_US) == KEPT_AHEAD
        assert await days_ahead(tx, NOW_US + 5 * DAY_US) == KEPT_AHEAD - 5 < AHEAD_LEAST
        assert await days_ahead(tx, NOW_US + 100 * DAY_US) == 0


async def test_keeper_waits_only_for_a_short_time_for_a_table_in_use(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(day_partitions, "SHORT_WAIT", text("SET LOCAL lock_timeout = '10ms'"))
    await divide(cloud)
    cloud.clock.at_us += 3 * DAY_US
    async with cloud.database.read() as tx:
        await tx.execute(select(observations.c.sequence).limit(1))
        async with cloud.database.transaction() as other:
            await DayKeeper().work(other, cloud.clock.at_us)  # adding a partition is possible meanwhile
        with pytest.raises(DatabaseUnavailable):
            await keep(cloud)
    await keep(cloud)
    assert min(await partitions(cloud)) == TODAY + 2


async def test_interrupted_division_is_continued(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send(97.0))
    async with cloud.database.transaction() as tx:
        await tx.execute(
            text("ALTER TABLE observations ADD CONSTRAINT ck_observations_undated CHECK (day <= 0) NOT VALID")
        )
    await divide(cloud)
    assert [row["value"] for row in await exported(cloud)] == [97.0]


async def test_division_of_an_undivided_sqlite_table_is_not_needed(tmp_path: Any):
    url = f"sqlite:///{tmp_path / 'cloud.db'}"
    await migrate(url, create=True)
    database = await open_database(url)
    assert await StepRunner(database, StoppedClock(), [dividing_step(database)]).turn(asyncio.Event())
    async with database.transaction() as tx:
        assert await DayKeeper().work(tx, NOW_US) == 0
        assert await days_ahead(tx, NOW_US) is None
    await database.close()


async def test_account_that_may_not_create_tables_is_recognised(database: Database) -> None:
    async with database.transaction() as tx:
        assert await may_add_days(tx)
        await tx.execute(text("SET LOCAL ROLE pg_monitor"))
        assert not await may_add_days(tx)
