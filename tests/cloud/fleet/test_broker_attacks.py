"""The generated configuration of the broker, on a real mosquitto with TLS, against what one vehicle's login may try."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloud.foundation.master_key import MasterKey
from cloud.vehicles.fleet.authority import create_authority
from cloud.vehicles.fleet.broker_configuration import AdmittedGateway, ingest_group
from cloud.vehicles.ingest import BrokerAddress, BrokerConnection, BrokerUnavailable, IngestSettings
from gateway.sync.mqtt import MqttRefused, MqttSession, MqttUnavailable, Will
from protocols.uplink import topics
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import PACKET_BYTES_MAX
from tests.harness.eventually import eventually
from tests.harness.fleet_broker import CLOUD_PASSWORD, Credentials, FleetBroker, fleet_broker, now_us

pytestmark = pytest.mark.broker

TENANT, OTHER_TENANT = "tnt_a", "tnt_b"
HONEST, NEIGHBOUR, FOREIGN = "gw_honest", "gw_neighbour", "gw_foreign"
"""Two gateways of one tenant and one of another. The attacker holds the login of `NEIGHBOUR`."""
GROUP = ingest_group(MasterKey(bytes(32)))


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[FleetBroker]:
    admitted = (
        AdmittedGateway(HONEST, TENANT),
        AdmittedGateway(NEIGHBOUR, TENANT),
        AdmittedGateway(FOREIGN, OTHER_TENANT),
    )
    async with fleet_broker(tmp_path / "broker", *admitted) as running:
        yield running


@pytest.fixture
def stolen(broker: FleetBroker) -> Credentials:
    """The certificate of a gateway, in the hands of an attacker."""
    return broker.credentials(NEIGHBOUR)


def up(gateway: str, lane: Lane = Lane.NUMERIC, tenant: str = TENANT) -> str:
    return topics.up(tenant, gateway, lane)


async def test_an_honest_gateway_sends_on_every_lane_and_gets_its_acknowledgement(broker: FleetBroker) -> None:
    async with broker.cloud(topics.shared(GROUP, topics.UP_FILTER), topics.STATUS_FILTER) as cloud:
        session = await broker.vehicle(broker.credentials(HONEST), will=Will(topics.status(TENANT, HONEST), b"gone"))
        await session.subscribe(topics.ack(TENANT, HONEST))
        for lane in Lane:
            await session.publish(up(HONEST, lane), lane.value.encode())
        await session.publish(topics.status(TENANT, HONEST), b"here", retain=True)
        await eventually(lambda: len(cloud.received) == len(Lane) + 1)
        await cloud.connection.publish(topics.ack(TENANT, HONEST), b"ack")
        assert (await session.receive()).payload == b"ack"
        session.end("the vehicle drove into a tunnel")
        await eventually(lambda: (topics.status(TENANT, HONEST), b"gone") in cloud.received)


@pytest.mark.finding("security-3")
async def test_a_gateway_that_joins_groups_of_subscribers_takes_no_message_of_the_ingest(
    broker: FleetBroker, stolen: Credentials
) -> None:
    """Every filter that an attacker can think of, and every name of a group but the one that it cannot know."""
    guesses = ["ingest", "argus", "argus-ingest", "argus-cloud", "cloud", "workers", "share", "0" * 32, NEIGHBOUR]
    filters = [topics.UP_FILTER, "argus/v1/#", "#", "argus/v1/+/+/up/#", "+/+/+/+/+/+"]
    async with broker.cloud(topics.shared(GROUP, topics.UP_FILTER)) as cloud:
        attacker = await broker.vehicle(stolen)
        for hostile in ("$share/#", "$share/+/argus/v1/+/+/up/+", "$share//#", "$share/ingest", "$share"):
            attacker = await attempt_subscription(broker, stolen, attacker, hostile)
        for each in filters:
            for group in guesses:
                await attacker.subscribe(f"$share/{group}/{each}")
            await attacker.subscribe(each)
        honest = await broker.vehicle(broker.credentials(HONEST))
        for number in range(40):
            await honest.slot()
            await honest.publish(up(HONEST), str(number).encode())
        await eventually(lambda: len(cloud.received) == 40)
        assert attacker._inbound.empty()


async def attempt_subscription(
    broker: FleetBroker, stolen: Credentials, attacker: MqttSession, topic_filter: str
) -> MqttSession:
    """The attacker's connection afterwards: the broker closes it over a filter that is none."""
    try:
        await attacker.subscribe(topic_filter)
    except (MqttRefused, MqttUnavailable, ValueError):
        if attacker.ended.done():
            return await broker.vehicle(stolen)
    return attacker


@pytest.mark.finding("security-3")
async def test_twenty_sessions_of_one_certificate_are_one_session(broker: FleetBroker, stolen: Credentials) -> None:
    async with broker.cloud(topics.shared(GROUP, topics.UP_FILTER)) as cloud:
        attackers = []
        for number in range(20):
            attackers.append(await broker.vehicle(stolen, client_id=f"ingest-{number}"))
            await attackers[-1].subscribe(topics.shared("ingest", topics.UP_FILTER))
        await eventually(lambda: [each.ended.done() for each in attackers] == [True] * 19 + [False])
        honest = await broker.vehicle(broker.credentials(HONEST))
        await honest.publish(up(HONEST), b"still arrives")
        await eventually(lambda: cloud.received == [(up(HONEST), b"still arrives")])


def test_the_ingest_group_is_a_secret_of_the_installation() -> None:
    assert len(bytes.fromhex(GROUP)) == 16
    assert ingest_group(MasterKey(bytes(32))) == GROUP
    assert ingest_group(MasterKey(b"\x01" * 32)) != GROUP


@pytest.mark.finding("security-3")
async def test_the_name_of_the_ingest_group_reaches_neither_a_vehicle_nor_the_log(
    broker: FleetBroker, stolen: Credentials
) -> None:
    attacker = await broker.vehicle(stolen)
    for each in ("#", "$SYS/#", "+/#", "$share/x/#", topics.ack(TENANT, NEIGHBOUR), topics.command(TENANT, NEIGHBOUR)):
        await attacker.subscribe(each)
    async with broker.cloud(topics.shared(GROUP, topics.UP_FILTER)) as cloud:
        await cloud.connection.publish(topics.ack(TENANT, NEIGHBOUR), b"ack")
        received = await attacker.receive()
        assert (received.topic, received.payload) == (topics.ack(TENANT, NEIGHBOUR), b"ack")
    assert GROUP not in broker.log


@pytest.mark.finding("security-7")
@pytest.mark.finding("fleet-2")
async def test_the_client_id_of_another_gateway_ends_no_session_but_ones_own(
    broker: FleetBroker, stolen: Credentials
) -> None:
    honest = await broker.vehicle(broker.credentials(HONEST))
    own = await broker.vehicle(stolen)
    for client_id in (HONEST, FOREIGN, "argus-ingest-0123456789ab", "test-cloud", f"{TENANT}/{HONEST}"):
        taken = await broker.vehicle(stolen, client_id=client_id)
        await eventually(own.ended.done)
        own = taken
    await honest.publish(up(HONEST), b"still here")
    assert not honest.ended.done()


@pytest.mark.finding("security-7")
@pytest.mark.parametrize(
    "topic",
    [
        up(HONEST),
        up(NEIGHBOUR, tenant=OTHER_TENANT),
        up(FOREIGN, tenant=OTHER_TENANT),
        topics.status(TENANT, HONEST),
        topics.status(OTHER_TENANT, NEIGHBOUR),
        topics.ack(TENANT, HONEST),
        topics.ack(TENANT, NEIGHBOUR),
        topics.command(TENANT, HONEST),
        f"argus/v1/{TENANT}/{NEIGHBOUR}/up/another",
        f"argus/v1/{TENANT}/{NEIGHBOUR}/up/numeric/deeper",
        f"argus/v1/{TENANT}/{NEIGHBOUR}/down/another",
        f"argus/v1/{TENANT}/{NEIGHBOUR}",
        "$SYS/broker/uptime",
        "elsewhere",
    ],
)
async def test_a_gateway_publishes_on_its_own_lanes_in_its_own_tenant_only(
    broker: FleetBroker, stolen: Credentials, topic: str
) -> None:
    async with broker.cloud("argus/v1/+/+/up/+", topics.STATUS_FILTER) as cloud:
        attacker = await broker.vehicle(stolen)
        with pytest.raises((MqttRefused, MqttUnavailable)):
            await attacker.publish(topic, b"forged", retain=True)
        if attacker.ended.done():
            attacker = await broker.vehicle(stolen)
        await attacker.publish(up(NEIGHBOUR), b"own")
        await eventually(lambda: cloud.received)
        assert cloud.received == [(up(NEIGHBOUR), b"own")]


@pytest.mark.finding("security-7")
async def test_a_will_on_a_topic_of_another_gateway_is_not_published(broker: FleetBroker, stolen: Credentials) -> None:
    async with broker.cloud("argus/v1/+/+/up/+", topics.STATUS_FILTER) as cloud:
        for topic in (topics.status(TENANT, HONEST), topics.status(OTHER_TENANT, NEIGHBOUR), up(HONEST)):
            try:
                attacker = await broker.vehicle(stolen, will=Will(topic, b"forged"))
            except MqttUnavailable:
                continue
            attacker.end("without a word")
        own = await broker.vehicle(stolen)
        await own.publish(up(NEIGHBOUR), b"own")
        await eventually(lambda: cloud.received)
        assert cloud.received == [(up(NEIGHBOUR), b"own")]


async def test_retained_messages_of_others_are_not_read(broker: FleetBroker, stolen: Credentials) -> None:
    honest = await broker.vehicle(broker.credentials(HONEST))
    await honest.publish(topics.status(TENANT, HONEST), b"where I am", retain=True)
    attacker = await broker.vehicle(stolen)
    for each in (topics.STATUS_FILTER, topics.status(TENANT, HONEST), "#", f"$share/x/{topics.STATUS_FILTER}"):
        await attacker.subscribe(each)
    await attacker.subscribe(topics.ack(TENANT, NEIGHBOUR))
    async with broker.cloud() as cloud:
        await cloud.connection.publish(topics.ack(TENANT, NEIGHBOUR), b"ack")
        assert (await attacker.receive()).payload == b"ack"


async def test_a_packet_above_the_limit_ends_the_senders_connection_alone(
    broker: FleetBroker, stolen: Credentials
) -> None:
    honest, attacker = await broker.vehicle(broker.credentials(HONEST)), await broker.vehicle(stolen)
    with pytest.raises((MqttUnavailable, MqttRefused)):
        await attacker.publish(up(NEIGHBOUR), bytes(PACKET_BYTES_MAX + 1))
    await honest.publish(up(HONEST), b"still here")


async def test_a_flood_of_connections_with_one_certificate_leaves_the_others_in(
    broker: FleetBroker, stolen: Credentials
) -> None:
    async with broker.cloud(topics.shared(GROUP, topics.UP_FILTER)) as cloud:
        honest = await broker.vehicle(broker.credentials(HONEST))
        flood = await asyncio.gather(*(broker.vehicle(stolen) for _ in range(60)), return_exceptions=True)
        await honest.publish(up(HONEST), b"still arrives")
        await eventually(lambda: (up(HONEST), b"still arrives") in cloud.received)
        opened = [each for each in flood if isinstance(each, MqttSession)]
        await eventually(lambda: sum(not each.ended.done() for each in opened) <= 1)


async def test_an_identity_that_is_not_registered_has_no_rights(broker: FleetBroker) -> None:
    unregistered = await broker.vehicle(broker.credentials("gw_unregistered"))
    with pytest.raises(MqttRefused, match="Not authorized"):
        await unregistered.publish(up("gw_unregistered"), b"x")


@pytest.mark.parametrize("common_name", ["+", "#", "argus-cloud", f"{TENANT}/{HONEST}", "a/b", "gw_honest "])
async def test_a_certificate_with_another_name_has_no_rights(broker: FleetBroker, common_name: str) -> None:
    try:
        session = await broker.vehicle(broker.credentials(common_name))
    except MqttUnavailable:
        return
    for topic in (up(HONEST), topics.ack(TENANT, HONEST), f"argus/v1/{common_name.strip()}/up/numeric"):
        with pytest.raises((MqttRefused, MqttUnavailable, ValueError)):
            await session.publish(topic, b"x")


async def test_broker_without_a_registered_gateway_refuses_every_publish(tmp_path: Path) -> None:
    async with fleet_broker(tmp_path / "broker") as empty:
        session = await empty.vehicle(empty.credentials(HONEST))
        with pytest.raises(MqttRefused):
            await session.publish(up(HONEST), b"x")


async def test_a_username_beside_the_certificate_changes_nothing(broker: FleetBroker, stolen: Credentials) -> None:
    for username in (HONEST, "argus-cloud"):
        attacker = await broker.vehicle(stolen, username=username)
        with pytest.raises(MqttRefused):
            await attacker.publish(up(HONEST), b"forged")
        await attacker.publish(up(NEIGHBOUR), b"own")


async def test_a_certificate_of_another_authority_does_not_come_in(broker: FleetBroker) -> None:
    foreign = broker.credentials(HONEST, authority=create_authority("aut_x", "Another fleet", now_us()))
    with pytest.raises(MqttUnavailable):
        await broker.vehicle(foreign)


@pytest.mark.parametrize("with_certificate", [False, True])
async def test_the_clouds_listener_takes_the_clouds_password_and_nothing_else(
    broker: FleetBroker, stolen: Credentials, with_certificate: bool
) -> None:
    for username, password in ((NEIGHBOUR, "guessed"), ("argus-cloud", "guessed"), (None, None)):
        address = BrokerAddress(
            url=f"mqtts://127.0.0.1:{broker.layout.cloud_port}",
            username=username,
            password=password,
            ca_file=str(broker.ca_file),
        )
        assert password != CLOUD_PASSWORD
        with pytest.raises(BrokerUnavailable):
            await BrokerConnection.open(address, client_id="x", settings=IngestSettings(), heard=lambda *_: None)


async def test_silent_connection_without_tls_does_not_delay_others(broker: FleetBroker) -> None:
    silent = [socket.create_connection(("127.0.0.1", broker.layout.vehicles_port)) for _ in range(200)]
    try:
        honest = await broker.vehicle(broker.credentials(HONEST))
        await honest.publish(up(HONEST), b"still here")
    finally:
        for each in silent:
            each.close()


def test_the_cloud_reaches_the_broker_over_tls_only(broker: FleetBroker) -> None:
    with (
        socket.create_connection(("127.0.0.1", broker.layout.cloud_port)) as opened,
        ssl.create_default_context(cafile=broker.ca_file).wrap_socket(opened, server_hostname="127.0.0.1") as secure,
    ):
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
