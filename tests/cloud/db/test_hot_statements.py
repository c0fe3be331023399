"""No statement of the hot paths reads a large table from end to end on PostgreSQL, whose planner has statistics."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from sqlalchemy import bindparam, select

from cloud.clinical.devices import EventSearch
from cloud.clinical.observations.minutes.body import BodyEncoder
from cloud.clinical.observations.minutes.merging_store import MergingStore
from cloud.clinical.observations.minutes.rows import minute_rows
from cloud.clinical.observations.minutes.store import MinuteStore
from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database, PostgresqlAddress, Prepared, open_database, read_address
from cloud.foundation.viewer import Viewer
from cloud.vehicles.ingest.event_reading import EventReader
from protocols.device_description import DeviceDescription, DevicePower
from tests.builders.api_surface import api
from tests.builders.cloud_large import SMALL, filling_statements
from tests.builders.cloud_people import HandClock, household
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.received_batches import RECEIVED
from tests.builders.webhook_story import WebhookStory, add_app
from tests.harness.plans import Plan, PlanDatabase, generic_plan, prepared_statements
from tests.harness.postgresql import PostgresqlCluster
from tests.harness.receiver import receiving

pytestmark = pytest.mark.pg

UNINDEXED = Prepared(select(observations.c.sequence).where(observations.c.number == bindparam("number")))


@pytest.fixture(scope="module")
def large_url(postgresql: PostgresqlCluster) -> Iterator[str]:
    """Yield the address of a database in which every growing table has many rows, with the tenant, the organisation and
    the vehicle of `CloudUnderTest`: each test runs without the others."""
    with postgresql.database(is_new=True) as url:
        address = read_address(url)
        assert isinstance(address, PostgresqlAddress)
        postgresql.administer(*filling_statements(), database=str(address.url.database))
        with ThreadPoolExecutor(max_workers=1) as executor:
            executor.submit(asyncio.run, add_vehicle(url)).result()
        yield url


async def add_vehicle(url: str) -> None:
    database = await open_database(url)
    await CloudUnderTest(database).register()
    await database.close()


@pytest.fixture
async def explained(large_url: str) -> AsyncIterator[PlanDatabase]:
    database: Database = await open_database(large_url)
    yield PlanDatabase(database)
    await database.close()


def scans(plan: Plan) -> set[str]:
    return plan.read_sequentially() - SMALL.keys()


def assert_no_scans(explained: PlanDatabase, *, statements: int) -> None:
    assert len(explained.plans) >= statements, "the test explained fewer statements than this path has"
    assert [plan.lines for plan in explained.plans if scans(plan)] == []


async def test_generic_plan_of_no_prepared_statement_scans_a_large_table(large_url: str) -> None:
    raw = await asyncpg.connect(large_url)
    await raw.execute("SET plan_cache_mode = force_generic_plan")
    found = {name: scans(await generic_plan(raw, one)) for name, one in prepared_statements().items()}
    unindexed = await generic_plan(raw, UNINDEXED)
    await raw.close()
    assert len(found) > 60
    assert {name: tables for name, tables in found.items() if tables} == {}
    assert scans(unindexed) == {"observations"}, "a scan would be noticed"


async def test_ingest_of_batches_scans_no_large_table(explained: PlanDatabase) -> None:
    gateway = GatewayInVehicle()
    cloud = CloudUnderTest(explained)
    await cloud.register_gateway(gateway)
    explained.plans.clear()
    assert len(await cloud.take(gateway.send(97.0), gateway.send_event())) == 2
    assert await cloud.take(*gateway.many(3))
    assert_no_scans(explained, statements=20)


async def test_ingest_of_reports_on_devices_scans_no_large_table(explained: PlanDatabase) -> None:
    gateway = GatewayInVehicle(gateway="gw_reports", key_seed=2)
    cloud = CloudUnderTest(explained)
    await cloud.register_gateway(gateway)
    explained.plans.clear()
    for percent in (90, 80):
        described = DeviceDescription(model="Pulse 1", firmware_revision=f"1.{percent}")
        power = DevicePower(battery_percent=percent)
        assert len(await cloud.take(gateway.send_description(described), gateway.send_power(power))) == 1
    assert_no_scans(explained, statements=20)


@pytest.mark.parametrize(
    "wanted",
    [
        EventSearch(vehicle_id="veh_1", since_us=1, until_us=2, limit=50),
        EventSearch(vehicle_id="veh_1", device="1122334455667788", names=("device.connected",), limit=50),
        EventSearch(device="1122334455667788", newest_first=True, limit=50),
        EventSearch(gateway_id="gw_1", newest_first=True, limit=50),
        EventSearch(newest_first=True, limit=50),
    ],
    ids=["vehicle", "device in a vehicle", "device", "gateway", "tenant"],
)
async def test_search_of_events_in_vehicles_scans_no_large_table(explained: PlanDatabase, wanted: EventSearch) -> None:
    async with explained.read() as tx:
        await EventReader().search(tx, Viewer("ten_1", "org_1"), wanted)
    assert_no_scans(explained, statements=1)


async def test_requests_about_a_device_scan_no_large_table(explained: PlanDatabase) -> None:
    async with api(explained) as here:
        explained.plans.clear()
        path = f"/api/v1/devices/{(await here.enrol())['id']}"
        spo2 = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 98.0, "unit_code": "%"}
        assert (await here.post(f"{path}/observations", spo2)).status_code == 201
        assert (await here.get("/api/v1/devices?limit=1")).status_code == 200
    assert_no_scans(explained, statements=8)


async def test_move_of_numerics_to_minute_rows_scans_no_large_table(explained: PlanDatabase) -> None:
    store = MinuteStore(RECEIVED)
    async with explained.transaction() as tx:
        lane_id = await store.next_due(tx, after=0, before_us=1 << 62)
        assert lane_id is not None
        values = await store.first_rows(tx, lane_id, limit=100)
        assert await store.replace(tx, values, minute_rows(values, BodyEncoder(), 0), before_us=None) == len(values)
    assert_no_scans(explained, statements=3)


async def test_merge_of_minute_rows_scans_no_large_table(explained: PlanDatabase) -> None:
    store = MergingStore(RECEIVED)
    async with explained.transaction() as tx:
        day, *_ = await store.days(tx, 5_000, 5_060)
        keys = [head.key for head in await store.heads(tx, day, None, limit=100)]
        assert [head.key for head in await store.heads(tx, day, keys[0], limit=100)] == keys
        assert [head.key for head in await store.first_heads(tx, day, limit=100)] == keys[::-1]
        assert set(await store.rows(tx, day, keys)) == set(keys)
        await store.erasing_lanes(tx, {key.lane_id for key in keys})
        assert await store.delete(tx, day, keys) == len(keys) > 0
    assert_no_scans(explained, statements=7)


async def test_delivery_of_an_event_scans_no_large_table(explained: PlanDatabase) -> None:
    async with receiving() as receiver:
        clock = HandClock()
        home = await household(explained, clock, name="west")
        story = WebhookStory(explained, home, clock, [receiver])
        await add_app(story, home)
        await story.subscribe(receiver.url())
        explained.plans.clear()
        await story.happen()
        assert await story.turn() == 1
        await story.close()
    assert_no_scans(explained, statements=8)
