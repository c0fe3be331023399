"""Ingest over a real broker: batches are stored and acknowledged, and no batch is lost with a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloud.clinical.observations.tables import observations
from cloud.doctor import _broker
from cloud.foundation.db import Database
from cloud.foundation.findings import Level
from cloud.vehicles.custody.tables import quarantined_batches
from cloud.vehicles.fleet import IN_FLIGHT_MESSAGES_MAX, MqttSection
from cloud.vehicles.ingest import BrokerAddress, IngestSettings, MqttSource, RunningIngest, make_ingest
from cloud.vehicles.ingest.held_pubacks import FREE_PART
from cloud.vehicles.ingest.source import DueAck
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import encode_envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.harness.broker import CLOUD_USER, GATEWAY, Broker, broker_running, password_of, running
from tests.harness.eventually import eventually
from tests.harness.vehicle import vehicle_at

pytestmark = pytest.mark.broker


def address_of(broker: Broker) -> BrokerAddress:
    return BrokerAddress(url=broker.url, username=CLOUD_USER, password=password_of(CLOUD_USER), group="0" * 32)


@asynccontextmanager
async def ingesting(cloud: CloudUnderTest, broker: Broker) -> AsyncIterator[RunningIngest]:
    """Run one ingest worker; yield it once it is connected to the broker."""
    running = make_ingest(cloud.database, address_of(broker), cloud.clock, cloud.ids)
    task = asyncio.ensure_future(running.run())
    try:
        await eventually(lambda: running.unready() is None, what="ingest is connected")
        yield running
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def gateway() -> GatewayInVehicle:
    return GatewayInVehicle(gateway=GATEWAY)


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with broker_running(tmp_path / "broker") as running:
        yield running


async def test_published_batch_is_acknowledged_only_after_it_is_stored_in_the_database(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, broker: Broker
):
    async with ingesting(cloud, broker), vehicle_at(broker) as vehicle:
        await vehicle.publish(gateway.send(97.0), gateway.send_event())
        await eventually(lambda: vehicle.through() == 1 and vehicle.through(Lane.EVENT) == 1)
        assert [row.number for row in await cloud.rows(observations)] == [97.0]


async def test_batch_published_after_malformed_messages_is_stored_and_acknowledged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, broker: Broker
):
    async with ingesting(cloud, broker), vehicle_at(broker) as vehicle:
        await vehicle.publish_bytes(b"garbage")
        await vehicle.publish_bytes(b"")
        await vehicle.publish_bytes(b"of a lane that does not exist", lane="tomorrow")
        await vehicle.publish(gateway.send(97.0))
        await eventually(lambda: vehicle.through() == 1)
        assert [row.reason for row in await cloud.rows(quarantined_batches)] == ["malformed", "malformed"]


async def test_two_ingest_processes_divide_the_gateways_and_store_each_batch_once(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, broker: Broker
):
    async with ingesting(cloud, broker), ingesting(cloud, broker), vehicle_at(broker) as vehicle:
        await vehicle.publish_status()
        await eventually(lambda: len(vehicle.acks) >= 4)
        await vehicle.publish(*gateway.many(60))
        await eventually(lambda: vehicle.through() == 60)
        rows = await cloud.rows(observations)
        assert [row.sequence for row in rows] == list(range(1, 61))


async def test_ingest_reconnects_to_a_restarted_broker_and_stores_the_batches_that_are_resent(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, broker: Broker
):
    sent = gateway.many(4)
    async with ingesting(cloud, broker) as running:
        async with vehicle_at(broker) as vehicle:
            await vehicle.publish(*sent[:2])
            await eventually(lambda: vehicle.through() == 2)
        await broker.kill()
        await eventually(lambda: running.unready() is not None, what="the loss is noticed")
        await broker.start()
        await eventually(lambda: running.unready() is None, what="ingest is connected again")
        async with vehicle_at(broker) as vehicle:
            await vehicle.publish(*sent)
            await eventually(lambda: vehicle.through() == 4)
        assert len(await cloud.rows(observations)) == 4


async def test_restarted_cloud_acknowledges_the_retained_status_of_a_connected_gateway(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, broker: Broker
):
    async with vehicle_at(broker) as vehicle:
        await vehicle.publish_status()
        async with ingesting(cloud, broker):
            await eventually(lambda: len(vehicle.acks) == 4)
            await vehicle.publish(*gateway.many(2))
            await eventually(lambda: vehicle.through() == 2)
        vehicle.acks.clear()
        async with ingesting(cloud, broker):
            await eventually(lambda: len(vehicle.acks) == 4)
            assert vehicle.through() == 2


async def test_event_arrives_while_live_batches_have_filled_the_queue_and_their_places_of_the_window(
    gateway: GatewayInVehicle, broker: Broker, cloud: CloudUnderTest
):
    source = MqttSource(
        address_of(broker), clock=cloud.clock, settings=IngestSettings(receive_max=5, queue_bytes_max=1)
    )
    receiving = asyncio.ensure_future(source.run())
    try:
        await eventually(lambda: source.connected)
        async with vehicle_at(broker) as vehicle:
            first = gateway.many(12)
            await vehicle.publish(*first)
            held = [await source.next(live=True) for _ in range(4)]
            await eventually(lambda: source.left_out == 8)
            assert source.next_now(live=True) is None
            for _ in range(3):
                await vehicle.publish(event := gateway.send_event())
                held.append(await source.next(live=False))
                assert held[-1].octets == encode_envelope(event)
            for delivery in held:
                await delivery.accept()
            await vehicle.publish(*first[4:8])  # their gateway resends them
            assert [(await source.next(live=True)).octets for _ in range(4)] == [*map(encode_envelope, first[4:8])]
    finally:
        receiving.cancel()
        await asyncio.wait([receiving])


async def test_several_hundred_batches_are_received_before_the_first_is_accepted(
    gateway: GatewayInVehicle, broker: Broker, cloud: CloudUnderTest
):
    """With mosquitto's default of 20 messages in flight, a group would have 20 batches."""
    source = MqttSource(address_of(broker), clock=cloud.clock, settings=IngestSettings(queue_bytes_max=1))
    receiving = asyncio.ensure_future(source.run())
    try:
        await eventually(lambda: source.connected)
        async with vehicle_at(broker) as vehicle:
            sent = gateway.many(IN_FLIGHT_MESSAGES_MAX + 20)
            await vehicle.publish(*sent)
            places = IN_FLIGHT_MESSAGES_MAX - IN_FLIGHT_MESSAGES_MAX // FREE_PART
            held = [await source.next(live=True) for _ in range(places)]
            await vehicle.publish_status()  # a round trip: a further message would have arrived before
            assert source.next_now(live=True) is None
            assert len({one.octets for one in held}) == places > 400
    finally:
        receiving.cancel()
        await asyncio.wait([receiving])


@pytest.mark.parametrize("in_flight_max", [2, IN_FLIGHT_MESSAGES_MAX])
async def test_acknowledgements_are_published_within_the_receive_maximum_of_the_broker(
    tmp_path: Path, cloud: CloudUnderTest, in_flight_max: int
):
    async with (
        running(Broker(tmp_path / "narrow", in_flight_max=in_flight_max)) as narrow,
        vehicle_at(narrow) as vehicle,
    ):
        source = MqttSource(address_of(narrow), clock=cloud.clock)
        receiving = asyncio.ensure_future(source.run())
        try:
            await eventually(lambda: source.connected)
            acks = [Ack.of_ranges("epoch-a", Lane.NUMERIC, [(1, through)]) for through in range(1, 101)]
            due = [DueAck(TENANT, GATEWAY, one) for one in acks]
            assert await source.acknowledge(due) == [True] * 100
            await eventually(lambda: vehicle.through() == 100)
            assert source.connected
        finally:
            receiving.cancel()
            await asyncio.wait([receiving])


@pytest.mark.parametrize(("in_flight_max", "level"), [(20, Level.WARNING), (IN_FLIGHT_MESSAGES_MAX, Level.OK)])
async def test_doctor_command_warns_when_the_broker_has_few_messages_in_flight(
    tmp_path: Path, in_flight_max: int, level: Level
):
    async with running(Broker(tmp_path / "broker", in_flight_max=in_flight_max)) as broker:
        mqtt = MqttSection(url=broker.url, username=CLOUD_USER, password_file=broker.password_file(CLOUD_USER))
        finding = await _broker(mqtt)
    assert finding.level is level
    assert (f"max_inflight_messages {IN_FLIGHT_MESSAGES_MAX}" in finding.sentence) is (level is Level.WARNING)


async def test_login_refused_by_the_broker_is_retried_and_reported_by_readiness_without_the_password(
    cloud: CloudUnderTest, broker: Broker
):
    wrong = BrokerAddress(url=broker.url, username=CLOUD_USER, password="not this one")
    running = make_ingest(cloud.database, wrong, cloud.clock, cloud.ids)
    task = asyncio.ensure_future(running.run())
    try:
        await eventually(lambda: "not connected yet" not in (running.unready() or ""))
        assert not task.done()
        assert "not this one" not in str(running.unready())
    finally:
        task.cancel()
        await asyncio.wait([task])


def test_broker_url_that_is_not_mqtt_is_refused():
    with pytest.raises(ValueError, match="mqtt://HOST:PORT"):
        BrokerAddress(url="http://127.0.0.1").parts()
