"""Findings of `argus-cloud doctor` in a RabbitMQ cluster: its nodes, its queues, ingest's consumers and the rights."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from cloud.foundation.errors import DomainError
from cloud.foundation.findings import Finding, Level
from cloud.foundation.settings import Settings
from cloud.vehicles.fleet import (
    MEMBERS_MAX,
    MqttSection,
    NodeState,
    QueueState,
    RabbitmqManagement,
    RabbitmqSection,
    manage_rabbitmq,
    queue_names,
)
from cloud.vehicles.ingest.broker import BrokerUnavailable, ClusterAddress, cluster_address
from cloud.vehicles.ingest.limits import IngestSettings

QUEUED_MAX = 10_000
"""Messages in all queues above which ingest is behind: ten seconds of the largest load that one process stores, and
8 seconds of 1,000 vehicles at the peak. A process that was restarted has fewer to catch up with."""
CONNECT_S_MAX = 5.0


async def examine_rabbitmq(settings: Settings) -> list[Finding]:
    """Examine the cluster of the settings; without `[rabbitmq]` there is nothing to examine."""
    mqtt, rabbitmq = settings.find(MqttSection), settings.find(RabbitmqSection)
    if mqtt is None or rabbitmq is None:
        return []
    findings: list[Finding] = []
    try:
        findings.append(await _login(cluster_address(mqtt, rabbitmq)))
        async with manage_rabbitmq(mqtt, rabbitmq) as management:
            findings.extend([finding async for finding in _cluster(management, rabbitmq.queues)])
    except DomainError as error:
        findings.append(Finding("broker cluster", Level.FAULT, error.sentence))
    return findings


async def _login(address: ClusterAddress) -> Finding:
    """Connect to each node as ingest does."""
    from cloud.vehicles.ingest.amqp_connection import AmqpConnection  # loads aio-pika, which other set-ups do not need

    refused: list[str] = []
    for node in address.nodes.hosts:
        try:
            limits = IngestSettings(connect_s=CONNECT_S_MAX)
            connection = await AmqpConnection.open(address, node, settings=limits, heard=_ignore)
        except BrokerUnavailable as error:
            refused.append(str(error))
        else:
            await connection.close()
    if not refused:
        return Finding("broker", Level.OK, f"Each node of {address.nodes.text} lets us in.")
    level = Level.FAULT if len(refused) == len(address.nodes.hosts) else Level.WARNING
    return Finding("broker", level, f"{'; '.join(refused)}. Does the node run, and does the password fit?")


async def _ignore(*_: object) -> None:
    """Do nothing: the doctor consumes from no queue."""
    await asyncio.sleep(0)


async def _cluster(management: RabbitmqManagement, count: int) -> AsyncIterator[Finding]:
    nodes = await management.nodes()
    yield node_finding(nodes)
    found = {name: await management.queue(name) for name in queue_names(count)}
    missing = [name for name, state in found.items() if state is None]
    if missing:
        sentence = f"{len(missing)} of {count} queues are missing; run argus-cloud broker declare."
        yield Finding("broker queues", Level.FAULT, sentence)
    else:
        yield queue_finding([state for state in found.values() if state is not None], nodes)
    admitted = len(await management.gateways())
    yield Finding("broker rights", Level.OK, f"RabbitMQ judges every request; {admitted} gateways have rights.")


def node_finding(nodes: Sequence[NodeState]) -> Finding:
    """Return the finding about the nodes of the cluster."""
    stopped = sorted(node.name for node in nodes if not node.running)
    alarmed = sorted(node.name for node in nodes if node.running and node.alarm)
    part = "broker cluster"
    if alarmed:
        sentence = f"{', '.join(alarmed)}: too little memory or disk, so RabbitMQ accepts no batches; make room there."
        return Finding(part, Level.FAULT, sentence)
    if 2 * len(stopped) >= len(nodes):
        sentence = f"{', '.join(stopped)}: not running, so the cluster has no majority and accepts no batches."
        return Finding(part, Level.FAULT, sentence)
    if stopped:
        sentence = f"{', '.join(stopped)}: not running. Start it: the cluster may not survive the loss of another node."
        return Finding(part, Level.WARNING, sentence)
    if len(nodes) < 3:
        sentence = f"The cluster has {len(nodes)} nodes and stops when one fails; add nodes up to three."
        return Finding(part, Level.WARNING, sentence)
    return Finding(part, Level.OK, f"{len(nodes)} nodes run.")


def queue_finding(queues: Sequence[QueueState], nodes: Sequence[NodeState]) -> Finding:
    """Return the most serious finding about the queues: no majority, no consumer, too few members, a backlog, or all
    leaders on few nodes."""
    part = "broker queues"
    torn = [queue.name for queue in queues if 2 * len(queue.online) <= len(queue.members)]
    if torn:
        return Finding(part, Level.FAULT, f"{', '.join(torn)}: no majority of the queue's nodes runs; start them.")
    idle = [queue.name for queue in queues if not queue.consumers]
    if idle:
        sentence = f"No ingest process receives from {len(idle)} of {len(queues)} queues; is it running? See its log."
        return Finding(part, Level.FAULT, sentence)
    running = [node.name for node in nodes if node.running]
    small = [queue.name for queue in queues if len(queue.members) < min(len(nodes), MEMBERS_MAX)]
    if small:
        sentence = f"{len(small)} queues are not kept on enough nodes; run argus-cloud broker declare."
        return Finding(part, Level.WARNING, sentence)
    queued = sum(queue.messages for queue in queues)
    if queued > QUEUED_MAX:
        sentence = f"{queued} messages are queued: ingest is behind. Start more processes, or look at the database."
        return Finding(part, Level.WARNING, sentence)
    leads = Counter(queue.leader for queue in queues)
    if len(queues) >= len(running) and any(not leads[name] for name in running):
        sentence = "A running node leads no queue, so the others do its work; run argus-cloud broker declare."
        return Finding(part, Level.WARNING, sentence)
    consumers = min(queue.consumers for queue in queues)
    return Finding(part, Level.OK, f"{len(queues)} queues, {consumers} ingest processes, {queued} messages queued.")
