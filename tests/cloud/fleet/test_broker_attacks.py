"""Attacks with the certificate of one gateway on a real mosquitto with the generated configuration and TLS."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import aiomqtt
import pytest

from cloud.foundation.master_key import MasterKey
from cloud.vehicles.fleet.authority import create_authority
from cloud.vehicles.fleet.broker_configuration import AdmittedGateway, ingest_group
from cloud.vehicles.fleet.broker_rights import CONTROL_TOPIC, RESPONSE_TOPIC
from cloud.vehicles.ingest import BrokerAddress, BrokerConnection, BrokerUnavailable, IngestSettings
from cloud.vehicles.ingest.broker_control import broker_rights
from gateway.sync.inbox import Message
from gateway.sync.mqtt import MqttSession
from gateway.sync.mqtt_errors import MqttRefused, MqttUnavailable
from protocols.uplink import topics
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import PACKET_BYTES_MAX
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.fleet_broker import CLOUD_LOGIN, CLOUD_PASSWORD, Credentials, FleetBroker, fleet_broker, now_us
from tests.harness.process_figures import resident_bytes

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
    """Return the certificate and key of a gateway, as an attacker with access to the vehicle would have them."""
    return broker.credentials(NEIGHBOUR)


def up(gateway: str, lane: Lane = Lane.NUMERIC, tenant: str = TENANT) -> str:
    return topics.up(tenant, gateway, lane)


async def test_registered_gateway_publishes_on_every_lane_and_receives_its_acknowledgement(broker: FleetBroker) -> None:
    async with broker.cloud(topics.UP_FILTER, topics.STATUS_FILTER) as cloud:
        session = await broker.vehicle(broker.credentials(HONEST), will=Message(topics.status(TENANT, HONEST), b"gone"))
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
async def test_gateway_that_attempts_shared_subscriptions_receives_no_message_for_the_ingest_process(
    broker: FleetBroker, stolen: Credentials
) -> None:
    """Try every filter and every group name that an attacker may guess, the ingest's own group included."""
    guesses = [GROUP, "ingest", "argus", "argus-ingest", "argus-cloud", "cloud", "workers", "0" * 32, NEIGHBOUR]
    filters = [topics.UP_FILTER, "argus/v1/#", "#", "argus/v1/+/+/up/#", "+/+/+/+/+/+"]
    async with broker.cloud(topics.UP_FILTER) as cloud:
        attacker = await broker.vehicle(stolen)
        for hostile in ("$share/#", "$share/+/argus/v1/+/+/up/+", "$share//#", "$share/ingest", "$share"):
            attacker = await attempt_subscription(broker, stolen, attacker, hostile)
        for each in filters:
            for hostile in (each, *(f"$share/{group}/{each}" for group in guesses)):
                attacker = await attempt_subscription(broker, stolen, attacker, hostile)
        honest = await broker.vehicle(broker.credentials(HONEST))
        for number in range(40):
            await honest.slot()
            await honest.publish(up(HONEST), str(number).encode())
        await eventually(lambda: len(cloud.received) == 40)
        assert len(attacker._inbox) == 0


async def attempt_subscription(
    broker: FleetBroker, stolen: Credentials, attacker: MqttSession, topic_filter: str
) -> MqttSession:
    """Check that the broker refuses a subscription of the attacker, and return an open session of the attacker.

    The broker ends the connection for an invalid filter; the returned session is then a new one.
    """
    with pytest.raises((MqttRefused, MqttUnavailable, ValueError)):
        await attacker.subscribe(topic_filter)
    return await broker.vehicle(stolen) if attacker.ended.done() else attacker


FILTERS = 6000
DEEP = "/a" * 189
GROWTH_BYTES_MAX = 16 << 20
"""Memory growth allowed; a list of 6000 such filters cost an unprotected mosquitto 820 MB."""
OWN = f"argus/v1/{TENANT}/{NEIGHBOUR}/down"


@pytest.mark.finding("security-3")
@pytest.mark.parametrize(
    ("filters", "accepted"),
    [
        pytest.param([f"{number}{DEEP}" for number in range(FILTERS)], 0, id="deep"),
        pytest.param([f"$share/{number}/x{DEEP}" for number in range(FILTERS)], 0, id="groups"),
        pytest.param([f"$share/{number}/{OWN}/ack" for number in range(FILTERS)], 0, id="groups_of_own_topic"),
        pytest.param([f"{'+/' * depth}#" for depth in range(190)] + [f"{OWN}/+", f"{OWN}/#"], 0, id="wildcards"),
        pytest.param([f"{OWN}/{number}" for number in range(FILTERS)], 0, id="own_folder"),
        pytest.param([f"{OWN}/ack", f"{OWN}/command"] * (FILTERS // 2), FILTERS, id="own_topics_repeated"),
    ],
)
async def test_thousands_of_subscriptions_by_one_gateway_do_not_grow_the_memory_of_the_broker(
    broker: FleetBroker, stolen: Credentials, filters: list[str], accepted: int
) -> None:
    async with subscriber(broker, stolen) as attacker:
        before = resident_bytes(broker.pid)
        codes = [code for some in chunks(filters) for code in await attacker.subscribe([(one, 1) for one in some])]
        for some in chunks(filters):
            await attacker.unsubscribe(some)
        assert resident_bytes(broker.pid) - before < GROWTH_BYTES_MAX
    assert sum(not getattr(code, "is_failure", False) for code in codes) == accepted
    assert len(codes) == len(filters)


def subscriber(broker: FleetBroker, credentials: Credentials) -> aiomqtt.Client:
    """Return an MQTT client that can send many topic filters in one packet."""
    return aiomqtt.Client(
        "127.0.0.1",
        broker.layout.vehicles_port,
        identifier=credentials.common_name,
        tls_context=broker.tls(credentials),
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=WITHIN_S,
    )


def chunks(filters: Sequence[str], size: int = 2000) -> Iterator[list[str]]:
    for start in range(0, len(filters), size):
        yield list(filters[start : start + size])


@pytest.mark.finding("security-3")
@pytest.mark.parametrize("topic", [CONTROL_TOPIC, RESPONSE_TOPIC])
async def test_gateway_can_neither_change_nor_read_access_rights_of_the_broker(
    broker: FleetBroker, stolen: Credentials, topic: str
) -> None:
    attacker = await broker.vehicle(stolen)
    with pytest.raises(MqttRefused):
        await attacker.subscribe(topic)
    with pytest.raises((MqttRefused, MqttUnavailable)):
        await attacker.publish(topic, b'{"commands":[{"command":"listClients"}]}')
    async with broker_rights(broker.cloud_address) as rights:
        assert set(await rights.clients()) == {HONEST, NEIGHBOUR, FOREIGN}


@pytest.mark.finding("security-3")
async def test_new_mqtt_session_ends_the_previous_session_with_the_same_certificate(
    broker: FleetBroker, stolen: Credentials
) -> None:
    async with broker.cloud(topics.UP_FILTER) as cloud:
        attackers = []
        for number in range(20):
            attackers.append(await broker.vehicle(stolen, client_id=f"ingest-{number}"))
            await attackers[-1].subscribe(topics.ack(TENANT, NEIGHBOUR))
        await eventually(lambda: [each.ended.done() for each in attackers] == [True] * 19 + [False])
        honest = await broker.vehicle(broker.credentials(HONEST))
        await honest.publish(up(HONEST), b"still arrives")
        await eventually(lambda: cloud.received == [(up(HONEST), b"still arrives")])


def test_group_of_the_ingest_processes_is_derived_from_the_master_key() -> None:
    assert len(bytes.fromhex(GROUP)) == 16
    assert ingest_group(MasterKey(bytes(32))) == GROUP
    assert ingest_group(MasterKey(b"\x01" * 32)) != GROUP


@pytest.mark.finding("security-3")
async def test_group_of_the_ingest_processes_is_visible_neither_to_a_gateway_nor_in_the_log(
    broker: FleetBroker, stolen: Credentials
) -> None:
    attacker = await broker.vehicle(stolen)
    for each in ("#", "$SYS/#", "+/#", "$share/x/#"):
        attacker = await attempt_subscription(broker, stolen, attacker, each)
    for each in (topics.ack(TENANT, NEIGHBOUR), topics.command(TENANT, NEIGHBOUR)):
        await attacker.subscribe(each)
    async with broker.cloud(topics.UP_FILTER, topics.status_filter(GROUP)) as cloud:
        await cloud.connection.publish(topics.status(GROUP, "ingest-1"), b"present", retain=True)
        await eventually(lambda: cloud.received == [(topics.status(GROUP, "ingest-1"), b"present")])
        await cloud.connection.publish(topics.ack(TENANT, NEIGHBOUR), b"ack")
        received = await attacker.receive()
        assert (received.topic, received.payload) == (topics.ack(TENANT, NEIGHBOUR), b"ack")
    assert GROUP not in broker.log
    with pytest.raises((MqttRefused, MqttUnavailable)):
        await attacker.publish(topics.status(GROUP, "ingest-2"), b"present", retain=True)


@pytest.mark.finding("security-7")
@pytest.mark.finding("fleet-2")
async def test_connection_with_the_client_id_of_another_gateway_does_not_end_the_session_of_that_gateway(
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
async def test_gateway_publishes_only_on_its_own_lanes_in_its_own_tenant(
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
async def test_mqtt_will_on_a_topic_of_another_gateway_is_not_published(
    broker: FleetBroker, stolen: Credentials
) -> None:
    async with broker.cloud("argus/v1/+/+/up/+", topics.STATUS_FILTER) as cloud:
        for topic in (topics.status(TENANT, HONEST), topics.status(OTHER_TENANT, NEIGHBOUR), up(HONEST)):
            try:
                attacker = await broker.vehicle(stolen, will=Message(topic, b"forged"))
            except MqttUnavailable:
                continue
            attacker.end("without a word")
        own = await broker.vehicle(stolen)
        await own.publish(up(NEIGHBOUR), b"own")
        await eventually(lambda: cloud.received)
        assert cloud.received == [(up(NEIGHBOUR), b"own")]


async def test_retained_messages_of_another_gateway_cannot_be_read(broker: FleetBroker, stolen: Credentials) -> None:
    honest = await broker.vehicle(broker.credentials(HONEST))
    await honest.publish(topics.status(TENANT, HONEST), b"where I am", retain=True)
    attacker = await broker.vehicle(stolen)
    for each in (topics.STATUS_FILTER, topics.status(TENANT, HONEST), "#", f"$share/x/{topics.STATUS_FILTER}"):
        attacker = await attempt_subscription(broker, stolen, attacker, each)
    await attacker.subscribe(topics.ack(TENANT, NEIGHBOUR))
    async with broker.cloud() as cloud:
        await cloud.connection.publish(topics.ack(TENANT, NEIGHBOUR), b"ack")
        assert (await attacker.receive()).payload == b"ack"


async def test_mqtt_packet_above_the_size_limit_ends_only_the_connection_of_its_sender(
    broker: FleetBroker, stolen: Credentials
) -> None:
    honest, attacker = await broker.vehicle(broker.credentials(HONEST)), await broker.vehicle(stolen)
    with pytest.raises((MqttUnavailable, MqttRefused)):
        await attacker.publish(up(NEIGHBOUR), bytes(PACKET_BYTES_MAX + 1))
    await honest.publish(up(HONEST), b"still here")


async def test_flood_of_connections_with_one_certificate_does_not_disconnect_other_gateways(
    broker: FleetBroker, stolen: Credentials
) -> None:
    async with broker.cloud(topics.UP_FILTER) as cloud:
        honest = await broker.vehicle(broker.credentials(HONEST))
        flood = await asyncio.gather(*(broker.vehicle(stolen) for _ in range(60)), return_exceptions=True)
        await honest.publish(up(HONEST), b"still arrives")
        await eventually(lambda: (up(HONEST), b"still arrives") in cloud.received)
        opened = [each for each in flood if isinstance(each, MqttSession)]
        await eventually(lambda: sum(not each.ended.done() for each in opened) <= 1)


async def test_unregistered_gateway_has_no_broker_rights(broker: FleetBroker) -> None:
    unregistered = await broker.vehicle(broker.credentials("gw_unregistered"))
    with pytest.raises(MqttRefused, match="Not authorized"):
        await unregistered.publish(up("gw_unregistered"), b"x")


@pytest.mark.parametrize("common_name", ["+", "#", "argus-cloud", "cloud", f"{TENANT}/{HONEST}", "a/b", "gw_honest "])
async def test_certificate_without_a_gateway_id_as_its_common_name_has_no_broker_rights(
    broker: FleetBroker, common_name: str
) -> None:
    try:
        session = await broker.vehicle(broker.credentials(common_name))
    except MqttUnavailable:
        return
    for topic in (up(HONEST), topics.ack(TENANT, HONEST), f"argus/v1/{common_name.strip()}/up/numeric", CONTROL_TOPIC):
        with pytest.raises((MqttRefused, MqttUnavailable, ValueError)):
            await session.publish(topic, b"x")
        with pytest.raises((MqttRefused, MqttUnavailable, ValueError)):
            await session.subscribe(topic)


async def test_broker_without_a_registered_gateway_refuses_every_publish(tmp_path: Path) -> None:
    async with fleet_broker(tmp_path / "broker") as empty:
        session = await empty.vehicle(empty.credentials(HONEST))
        with pytest.raises(MqttRefused):
            await session.publish(up(HONEST), b"x")


async def test_username_sent_with_a_client_certificate_does_not_change_the_rights_of_the_certificate(
    broker: FleetBroker, stolen: Credentials
) -> None:
    for username in (HONEST, "argus-cloud", CLOUD_LOGIN.username):
        attacker = await broker.vehicle(stolen, username=username)
        with pytest.raises(MqttRefused):
            await attacker.publish(up(HONEST), b"forged")
        await attacker.publish(up(NEIGHBOUR), b"own")


async def test_client_certificate_of_another_authority_is_refused(broker: FleetBroker) -> None:
    foreign = broker.credentials(HONEST, authority=create_authority("aut_x", "Another fleet", now_us()))
    with pytest.raises(MqttUnavailable):
        await broker.vehicle(foreign)


@pytest.mark.parametrize("with_certificate", [False, True])
async def test_broker_listener_for_the_cloud_accepts_only_the_username_and_password_of_the_cloud(
    broker: FleetBroker, stolen: Credentials, with_certificate: bool
) -> None:
    guesses = (
        (NEIGHBOUR, "guessed"),
        (NEIGHBOUR, None),
        (CLOUD_LOGIN.username, "guessed"),
        (CLOUD_LOGIN.username, None),
    )
    for username, password in (*guesses, ("argus-cloud", CLOUD_PASSWORD), (None, None)):
        address = BrokerAddress(
            url=f"mqtts://127.0.0.1:{broker.layout.cloud_port}",
            username=username,
            password=password,
            ca_file=str(broker.ca_file),
        )
        with pytest.raises(BrokerUnavailable):
            await BrokerConnection.open(address, client_id="x", settings=IngestSettings(), heard=lambda *_: None)


async def test_connections_that_send_no_tls_handshake_do_not_delay_other_clients(broker: FleetBroker) -> None:
    silent = [socket.create_connection(("127.0.0.1", broker.layout.vehicles_port)) for _ in range(200)]
    try:
        honest = await broker.vehicle(broker.credentials(HONEST))
        await honest.publish(up(HONEST), b"still here")
    finally:
        for each in silent:
            each.close()


def test_broker_listener_for_the_cloud_uses_tls_1_2_or_later(broker: FleetBroker) -> None:
    with (
        socket.create_connection(("127.0.0.1", broker.layout.cloud_port)) as opened,
        ssl.create_default_context(cafile=broker.ca_file).wrap_socket(opened, server_hostname="127.0.0.1") as secure,
    ):
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
