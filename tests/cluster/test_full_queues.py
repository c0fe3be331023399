"""Queues that are full because no ingest process receives: RabbitMQ rejects, and delivers what it has confirmed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from gateway.sync.mqtt import BrokerAddress, MqttSession
from gateway.sync.mqtt_errors import MqttRefused
from protocols.uplink import topics
from protocols.uplink.lanes import Lane
from tests.cluster.recorder import Arrivals
from tests.cluster.test_kills import receiving
from tests.harness.eventually import eventually
from tests.harness.rabbitmq_cluster import RabbitmqCluster

TENANT, GATEWAY = "tnt_full", "gw_full"
LENGTH_MAX = 5
POLICY = "/policies/%2F/full"


@asynccontextmanager
async def short_queues(cluster: RabbitmqCluster) -> AsyncIterator[None]:
    """Limit the length of the queues inside the block, instead of filling 256 MiB."""
    management = cluster.management()
    body = {"pattern": "^argus[.]up", "definition": {"max-length": LENGTH_MAX}, "apply-to": "queues"}
    try:
        await management.admit(AdmittedGateway(GATEWAY, TENANT))
        await management.request("PUT", POLICY, body)
        yield
    finally:
        await management.request("DELETE", POLICY)
        await management.close()


async def publish(session: MqttSession, number: int) -> bool:
    """Publish a number; return whether RabbitMQ confirmed it."""
    await session.slot()
    try:
        await session.publish(topics.up(TENANT, GATEWAY, Lane.NUMERIC), f"{number}".encode())
    except MqttRefused:
        return False
    return True


async def test_full_queue_rejects_batches_and_delivers_all_that_it_confirmed(cluster: RabbitmqCluster) -> None:
    credentials = cluster.credentials(GATEWAY)
    address = BrokerAddress(
        host="127.0.0.1",
        port=cluster.nodes[1].layout.vehicles_port,
        username=None,
        password=None,
        tls=cluster.tls(credentials),
    )
    confirmed: list[int] = []
    async with short_queues(cluster):
        session = await MqttSession.open(address, client_id=GATEWAY)
        for number in range(10 * LENGTH_MAX):
            if not await publish(session, number):
                break
            confirmed.append(number)
            await asyncio.sleep(0)
        assert LENGTH_MAX <= len(confirmed) < 10 * LENGTH_MAX
        assert not session.ended.done()  # a rejected batch does not end the connection
    arrivals = Arrivals()
    async with receiving(cluster, 1, arrivals):
        await eventually(lambda: arrivals.first[GATEWAY, "numeric"] == confirmed)
        assert await publish(session, 1000)
        await eventually(lambda: 1000 in arrivals.seen[GATEWAY, "numeric"])
    await session.close()
