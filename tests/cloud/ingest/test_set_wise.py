"""The number of SQL statements for a group of batches does not depend on the devices and channels in the batches."""

import pytest

from cloud.clinical.devices.tables import devices
from cloud.clinical.observations.tables import observation_channels, observation_sources, observations
from cloud.foundation.db import Database
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel
from protocols.uplink.envelope import Envelope
from protocols.uplink.observations import DeviceObservations, DeviceRef
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, readings, section
from tests.builders.statement_count import CountingDatabase

MANY = 200  # below the quota of a new gateway

pytestmark = pytest.mark.finding("security-2")


@pytest.fixture
def counted(database: Database) -> CountingDatabase:
    return CountingDatabase(database)


@pytest.fixture
async def cloud(counted: CountingDatabase, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(counted).register(gateway)


def of_devices(count: int, *, first: int = 0, channels: int = 1, at_s: float = 1.0) -> list[DeviceObservations]:
    return [
        section(
            [
                one
                for handle in range(1, channels + 1)
                for one in readings(97.0, channel=Channel(handle=handle, type=Code(2, 19384)), at_s=at_s)
            ],
            device=DeviceRef(f"{number:016x}", "Invented device"),
        )
        for number in range(first, first + count)
    ]


async def statements_of(cloud: CloudUnderTest, counted: CountingDatabase, *sent: Envelope) -> int:
    before = counted.statements
    acks = await cloud.take(*sent)
    assert acks
    return counted.statements - before


async def test_batch_of_hundreds_of_new_devices_needs_as_many_sql_statements_as_a_batch_of_one_new_device(
    cloud: CloudUnderTest, counted: CountingDatabase, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send())  # the lane and the epoch exist from here on
    one = await statements_of(cloud, counted, gateway.send_sections(of_devices(1, first=1_000)))
    many = await statements_of(cloud, counted, gateway.send_sections(of_devices(MANY, channels=4)))
    assert many == one
    assert one <= 20
    assert len(await cloud.rows(devices)) == MANY + 2
    assert len(await cloud.rows(observation_sources)) == MANY + 2
    assert len(await cloud.rows(observation_channels)) == 4 * MANY + 2
    assert len(await cloud.rows(observations)) == 4 * MANY + 2


async def test_batch_of_hundreds_of_known_devices_needs_as_many_sql_statements_as_a_batch_of_one_known_device(
    cloud: CloudUnderTest, counted: CountingDatabase, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_sections(of_devices(MANY)))
    seen_before = {row.system_id: row.last_seen_us for row in await cloud.rows(devices)}
    one = await statements_of(cloud, counted, gateway.send_sections(of_devices(1, at_s=20.0)))
    many = await statements_of(cloud, counted, gateway.send_sections(of_devices(MANY, at_s=40.0)))
    assert many == one
    assert one <= 12
    assert seen_before.keys() == {row.system_id for row in await cloud.rows(devices)}


async def test_group_of_ten_batches_needs_as_many_sql_statements_as_one_batch(
    cloud: CloudUnderTest, counted: CountingDatabase, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send())
    one = await statements_of(cloud, counted, gateway.send_sections(of_devices(2, first=10)))
    batches = [gateway.send_sections(of_devices(20, first=100 * number)) for number in range(1, 11)]
    many = await statements_of(cloud, counted, *batches)
    assert many == one


async def test_last_seen_time_of_a_device_is_the_latest_time_in_batches_received_in_any_order(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    hours_ago_us = NOW_US - 7_200_000_000
    early, late = (
        gateway.send_sections([section(readings(97.0, at_s=at_s), wall_offset_us=hours_ago_us)])
        for at_s in (10.0, 3_000.0)
    )
    await cloud.take(late, early)
    (row,) = await cloud.rows(devices)
    assert row.last_seen_us == hours_ago_us + 3_000_000_000
