"""Attacks with the certificate of one gateway on a real RabbitMQ with the generated configuration and rights."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from cloud.foundation.clock import SystemClock
from cloud.vehicles.fleet.authority import create_authority, issue_client
from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from cloud.vehicles.fleet.rabbitmq_management import RabbitmqManagement
from cloud.vehicles.ingest.amqp_source import AmqpSource
from cloud.vehicles.ingest.source import Delivery, DueAck, StatusDelivery
from gateway.sync.inbox import Message
from gateway.sync.mqtt import BrokerAddress, MqttSession
from gateway.sync.mqtt_errors import MqttRefused, MqttUnavailable
from protocols.uplink import topics
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane
from tests.cluster.conftest import QUEUES
from tests.harness.eventually import eventually
from tests.harness.fleet_broker import Credentials, now_us
from tests.harness.rabbitmq_cluster import RabbitmqCluster

TENANT, OTHER_TENANT = "tnt_rights", "tnt_other"
HONEST, NEIGHBOUR, FOREIGN = "gw_honest", "gw_neighbour", "gw_foreign"
"""Two gateways of one tenant and one of another. The attacker holds the login of `NEIGHBOUR`."""
REFUSED = (MqttRefused, MqttUnavailable)


class Vehicles:
    """Gateways with certificates at the first node of the cluster, and the messages that ingest receives."""

    def __init__(self, cluster: RabbitmqCluster, management: RabbitmqManagement, source: AmqpSource) -> None:
        self.cluster = cluster
        self.management = management
        self.source = source
        self.received: list[Delivery] = []
        self.stolen = cluster.credentials(NEIGHBOUR)

    async def receive(self, *, live: bool) -> None:
        while True:
            delivery = await self.source.next(live=live)
            self.received.append(delivery)
            await delivery.accept()

    async def connect(
        self,
        credentials: Credentials | None,
        client_id: str,
        *,
        username: str | None = None,
        will: Message | None = None,
    ) -> MqttSession:
        address = BrokerAddress(
            host="127.0.0.1",
            port=self.cluster.nodes[0].layout.vehicles_port,
            username=username,
            password=None if username is None else "guessed",
            tls=self.cluster.tls(credentials),
        )
        return await MqttSession.open(address, client_id=client_id, will=will)

    def sent_by(self, gateway: str) -> list[bytes]:
        return [one.octets for one in self.received if one.gateway_id == gateway]


@pytest.fixture
async def vehicles(cluster: RabbitmqCluster) -> AsyncIterator[Vehicles]:
    management = cluster.management()
    for gateway in (
        AdmittedGateway(HONEST, TENANT),
        AdmittedGateway(NEIGHBOUR, TENANT),
        AdmittedGateway(FOREIGN, OTHER_TENANT),
    ):
        await management.admit(gateway)
    source = AmqpSource(cluster.address(queues=QUEUES), clock=SystemClock())
    made = Vehicles(cluster, management, source)
    receiving = [asyncio.create_task(made.receive(live=live)) for live in (False, True)]
    tasks = [asyncio.create_task(source.run()), *receiving]
    try:
        await eventually(lambda: source.connected)
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await management.close()


async def test_admitted_gateway_publishes_on_every_lane_and_receives_its_acknowledgement(vehicles: Vehicles) -> None:
    will = Message(topics.status(TENANT, HONEST), b"gone")
    session = await vehicles.connect(vehicles.cluster.credentials(HONEST), HONEST, will=will)
    await session.subscribe(topics.ack(TENANT, HONEST))
    await session.subscribe(topics.command(TENANT, HONEST))
    for lane in Lane:
        await session.publish(topics.up(TENANT, HONEST, lane), lane.value.encode())
    await session.publish(topics.status(TENANT, HONEST), b"here", retain=True)
    await eventually(lambda: len(vehicles.sent_by(HONEST)) == len(Lane) + 1)
    due = DueAck(TENANT, HONEST, Ack.of_ranges("epoch", Lane.EVENT, [(1, 3)]))
    assert await vehicles.source.acknowledge([due]) == [True]
    assert b'"epoch"' in (await session.receive()).payload
    session.end("the vehicle drove into a tunnel")
    await eventually(lambda: b"gone" in vehicles.sent_by(HONEST))
    assert isinstance(vehicles.received[-1], StatusDelivery)


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param(topics.up(TENANT, HONEST, Lane.NUMERIC), id="lane_of_neighbour"),
        pytest.param(topics.status(TENANT, HONEST), id="status_of_neighbour"),
        pytest.param(topics.up(OTHER_TENANT, NEIGHBOUR, Lane.NUMERIC), id="own_name_in_another_tenant"),
        pytest.param(topics.ack(TENANT, NEIGHBOUR), id="own_acknowledgement"),
        pytest.param(topics.ack(TENANT, HONEST), id="acknowledgement_of_neighbour"),
        pytest.param(f"argus/v1/{TENANT}/{NEIGHBOUR}/up/other", id="unknown_lane"),
        pytest.param(f"argus/v1/{TENANT}/{NEIGHBOUR}/up/event/more", id="below_own_lane"),
        pytest.param(f"x/argus/v1/{TENANT}/{NEIGHBOUR}/status", id="above_own_status"),
        pytest.param("anything", id="anything"),
    ],
)
async def test_gateway_publishes_nothing_outside_its_own_topics(vehicles: Vehicles, topic: str) -> None:
    attacker = await vehicles.connect(vehicles.stolen, NEIGHBOUR)
    with pytest.raises(REFUSED):
        await attacker.publish(topic, b"forged")
    await attacker.close()
    session = await vehicles.connect(vehicles.stolen, NEIGHBOUR)
    await session.publish(topics.up(TENANT, NEIGHBOUR, Lane.EVENT), b"own")
    await session.close()
    await eventually(lambda: b"own" in vehicles.sent_by(NEIGHBOUR))
    assert b"forged" not in [one.octets for one in vehicles.received]


@pytest.mark.parametrize(
    "topic_filter",
    [
        topics.UP_FILTER,
        topics.STATUS_FILTER,
        "#",
        "argus/#",
        f"argus/v1/{TENANT}/{NEIGHBOUR}/#",
        f"argus/v1/{TENANT}/+/down/ack",
        topics.ack(TENANT, HONEST),
        topics.up(TENANT, NEIGHBOUR, Lane.EVENT),
        f"$share/argus/{topics.UP_FILTER}",
    ],
)
async def test_gateway_subscribes_to_nothing_but_its_acknowledgements_and_commands(
    vehicles: Vehicles, topic_filter: str
) -> None:
    attacker = await vehicles.connect(vehicles.stolen, NEIGHBOUR)
    with pytest.raises(REFUSED):
        await attacker.subscribe(topic_filter)
    await attacker.close()


async def test_gateway_cannot_end_the_session_of_another_one_or_sign_in_as_another_user(vehicles: Vehicles) -> None:
    honest = await vehicles.connect(vehicles.cluster.credentials(HONEST), HONEST)
    with pytest.raises(MqttUnavailable):
        await vehicles.connect(vehicles.stolen, HONEST)
    users = (HONEST, vehicles.cluster.login.username, "guest")
    # RabbitMQ responds to a wrong login after three seconds.
    attempts = [vehicles.connect(vehicles.stolen, NEIGHBOUR, username=user) for user in users]
    outcomes = await asyncio.gather(*attempts, vehicles.connect(None, NEIGHBOUR), return_exceptions=True)
    assert [type(each) for each in outcomes] == [MqttUnavailable] * len(outcomes)
    assert not honest.ended.done()
    await honest.publish(topics.up(TENANT, HONEST, Lane.EVENT), b"still here")
    await honest.close()


async def test_certificate_of_another_authority_is_refused(vehicles: Vehicles) -> None:
    foreign = create_authority("aut_2", "Another fleet", now_us())
    certificate = issue_client(foreign, vehicles.stolen.public_key, NEIGHBOUR, days=1, now_us=now_us())
    with pytest.raises(MqttUnavailable):
        await vehicles.connect(vehicles.stolen.with_certificate(certificate), NEIGHBOUR)


async def test_withdrawn_gateway_loses_its_connection_and_is_admitted_again_later(vehicles: Vehicles) -> None:
    session = await vehicles.connect(vehicles.stolen, NEIGHBOUR)
    await vehicles.management.withdraw(NEIGHBOUR)
    await eventually(lambda: session.ended.done(), what="the connection ends")
    with pytest.raises(MqttUnavailable):
        await vehicles.connect(vehicles.stolen, NEIGHBOUR)
    wanted = [AdmittedGateway(HONEST, TENANT), AdmittedGateway(NEIGHBOUR, TENANT)]
    others = {name for name in await vehicles.management.gateways() if name not in (HONEST, NEIGHBOUR)}
    assert FOREIGN in others
    assert await vehicles.management.converge(wanted) == len(others) + 1
    assert await vehicles.management.converge(wanted) == 0
    assert set(await vehicles.management.gateways()) == {HONEST, NEIGHBOUR}
    await (await vehicles.connect(vehicles.stolen, NEIGHBOUR)).close()
