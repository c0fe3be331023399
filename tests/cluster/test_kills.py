"""Issue «Storage and ingest for a thousand vehicles», C: each node of three is killed under load, and nothing is lost.

Numbered gateways publish by MQTT 5 through a failover address, and two of the product's sources receive. Each number
that RabbitMQ confirmed must arrive, and the numbers of a gateway's lane must arrive in order.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from cloud.foundation.clock import SystemClock
from cloud.foundation.findings import Level
from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from cloud.vehicles.fleet.rabbitmq_declaration import declare
from cloud.vehicles.fleet.rabbitmq_topology import queue_names
from cloud.vehicles.ingest.amqp_source import AmqpSource
from cloud.vehicles.ingest.rabbitmq_findings import node_finding, queue_finding
from gateway.sync.mqtt import BrokerAddress
from protocols.uplink.lanes import Lane
from tests.cluster.conftest import QUEUES
from tests.cluster.numbered_gateway import NumberedGateway
from tests.cluster.recorder import Arrivals
from tests.harness.eventually import eventually
from tests.harness.failover import failover
from tests.harness.rabbitmq_cluster import NODES, START_S_MAX, Node, RabbitmqCluster

TENANT = "tnt_kills"
GATEWAYS = 12
LANES = (Lane.NUMERIC, Lane.WAVEFORM)
PROGRESS = 40
"""Numbers that each lane must advance before the next event."""
STALL_S_MAX = 60.0


@asynccontextmanager
async def receiving(cluster: RabbitmqCluster, consumer: int, arrivals: Arrivals) -> AsyncIterator[AmqpSource]:
    """Run a source whose arrivals are recorded; inside the block it is one of the consumers."""
    source = AmqpSource(cluster.address(queues=QUEUES), clock=SystemClock())
    source._process_id = f"ingest-{consumer}"  # with random ids one might get none of these few queues
    recording = [asyncio.create_task(arrivals.record(consumer, source, live=live)) for live in (False, True)]
    tasks = [asyncio.create_task(source.run()), *recording]
    try:
        await eventually(lambda: source.connected, within_s=STALL_S_MAX, what="the source consumes")
        yield source
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def make_gateways(cluster: RabbitmqCluster, port: int) -> list[NumberedGateway]:
    gateways = []
    management = cluster.management()
    try:
        for number in range(GATEWAYS):
            credentials = cluster.credentials(f"gw_kills{number}")
            await management.admit(AdmittedGateway(credentials.common_name, TENANT))
            address = BrokerAddress(
                host="127.0.0.1", port=port, username=None, password=None, tls=cluster.tls(credentials)
            )
            gateways.append(NumberedGateway(TENANT, credentials, address, LANES))
    finally:
        await management.close()
    return gateways


async def advance(gateways: list[NumberedGateway]) -> None:
    """Wait until each lane of each gateway has advanced."""
    before = [dict(each.confirmed) for each in gateways]

    def advanced() -> bool:
        return all(
            each.confirmed[lane] >= was[lane] + PROGRESS
            for each, was in zip(gateways, before, strict=True)
            for lane in was
        )

    await eventually(advanced, within_s=STALL_S_MAX, what="every lane of every gateway advances", poll_s=0.1)


async def restarted(cluster: RabbitmqCluster, node: Node) -> None:
    """Start a killed node again, and wait until it holds every queue."""
    cluster.launch(node)
    await cluster.ready(NODES)
    management = cluster.management()

    async def complete() -> bool:
        queues = [await management.queue(name) for name in queue_names(QUEUES)]
        return all(queue is not None and len(queue.online) == NODES for queue in queues)

    try:
        await eventually(complete, within_s=START_S_MAX, poll_s=0.5, what="every queue is on every node")
    finally:
        await management.close()


async def whole(cluster: RabbitmqCluster) -> None:
    """Declare again, as the guide requires after a node has come back, and wait until the doctor finds no fault."""
    management = cluster.management()

    async def sound() -> bool:
        nodes = await management.nodes()
        queues = [await management.queue(name) for name in queue_names(QUEUES)]
        findings = node_finding(nodes), queue_finding([queue for queue in queues if queue is not None], nodes)
        return all(finding.level is Level.OK for finding in findings)

    try:
        await declare(management, queues=QUEUES, nodes_least=NODES)
        await eventually(sound, within_s=STALL_S_MAX, poll_s=0.5, what="the doctor finds no fault")
    finally:
        await management.close()


async def test_no_message_is_lost_and_order_is_kept_while_each_node_and_a_consumer_are_killed(
    cluster: RabbitmqCluster,
) -> None:
    arrivals = Arrivals()
    ports = [node.layout.vehicles_port for node in cluster.nodes]
    async with failover(ports) as entrance, AsyncExitStack() as consumers:
        gateways = await make_gateways(cluster, entrance.port)
        first = await consumers.enter_async_context(AsyncExitStack())
        await first.enter_async_context(receiving(cluster, 1, arrivals))
        await consumers.enter_async_context(receiving(cluster, 2, arrivals))
        async with asyncio.TaskGroup() as tasks:
            for each in gateways:
                tasks.create_task(each.run())
            await advance(gateways)
            for node in cluster.nodes:
                cluster.kill(node)
                await advance(gateways)
                await restarted(cluster, node)
                await advance(gateways)
            await whole(cluster)
            shares = dict(arrivals.by_consumer)
            await first.aclose()  # the other consumer takes over its queues
            await advance(gateways)
            await consumers.enter_async_context(receiving(cluster, 3, arrivals))  # takes some over by its priority
            await advance(gateways)
            for each in gateways:
                each.stop()
        await eventually(
            lambda: all(
                len(arrivals.seen[each.name, lane.value]) >= each.confirmed[lane] for each in gateways for lane in LANES
            ),
            within_s=STALL_S_MAX,
            what="every confirmed message arrives",
        )
    total = sum(sum(each.confirmed.values()) for each in gateways)
    print(
        f"{total} confirmed, {arrivals.total} arrived, {arrivals.repeated} repeated, by consumer {shares}, "
        f"{sum(each.connections for each in gateways)} connections, {sum(each.refused for each in gateways)} refused, "
        f"longest PUBACK {max(each.puback_s_max for each in gateways):.1f} s"
    )
    for each in gateways:
        for lane in LANES:
            numbers = arrivals.first[each.name, lane.value]
            assert numbers == sorted(numbers), f"{each.name} {lane}: the order was not kept"
            assert set(range(each.confirmed[lane])) <= set(numbers), f"{each.name} {lane}: a message was lost"
    assert all(shares[consumer] for consumer in (1, 2))
    assert arrivals.by_consumer[3]
