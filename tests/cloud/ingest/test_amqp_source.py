"""The source of batches from RabbitMQ. `make test-cluster` tests it on real nodes."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from cloud.vehicles.fleet import MqttSection, RabbitmqSection, queue_names, routing_key
from cloud.vehicles.fleet.cluster_url import parse_cluster_url
from cloud.vehicles.fleet.rabbitmq_management import NodeState, QueueState
from cloud.vehicles.ingest import IngestSettings
from cloud.vehicles.ingest.amqp_connection import AmqpConnection, Heard, consumer_priority
from cloud.vehicles.ingest.amqp_source import AmqpSource
from cloud.vehicles.ingest.broker import BrokerUnavailable, ClusterAddress, SubscriptionRefused
from cloud.vehicles.ingest.rabbitmq_findings import QUEUED_MAX, node_finding, queue_finding
from cloud.vehicles.ingest.source import BatchDelivery, DueAck, StatusDelivery
from protocols.uplink import topics
from protocols.uplink.acks import Ack, decode_ack
from protocols.uplink.lanes import Lane
from protocols.uplink.reconnection import ReconnectSettings
from tests.builders.ingest_cloud import StoppedClock
from tests.harness.eventually import eventually

ADDRESS = ClusterAddress(nodes=parse_cluster_url("amqp://a,b,c", "amqp"), username="u", password="p", queues=4)
SETTINGS = IngestSettings(reconnect=ReconnectSettings(first_s=0.001, cap_s=0.001), sender_bytes_max=4096)


class ScriptedMessage:
    """A message as RabbitMQ delivers it."""

    def __init__(self, topic: str, body: bytes = b"", **headers: object) -> None:
        self.routing_key = routing_key(topic)
        self.body = body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class ScriptedConnection:
    """A connection without RabbitMQ, to which the test delivers messages."""

    def __init__(self, node: tuple[str, int], heard: Heard, refused: str | None) -> None:
        self.node = node
        self._heard: Any = heard
        self._refused = refused
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended.add_done_callback(lambda ended: ended.exception())
        self.accepted: list[bytes] = []
        self.published: list[tuple[str, bytes]] = []
        self.takes = True

    async def consume(self, _address: ClusterAddress, _process_id: str) -> None:
        if self._refused is not None:
            raise SubscriptionRefused(self._refused)

    async def deliver(self, *messages: ScriptedMessage) -> None:
        for message in messages:
            await self._heard(self, message)

    async def accept(self, message: ScriptedMessage) -> None:
        self.accepted.append(message.body)

    async def publish(self, topic: str, payload: bytes) -> bool:
        self.published.append((topic, payload))
        return self.takes

    def lose(self) -> None:
        self.ended.set_exception(BrokerUnavailable("the node was lost"))

    async def close(self) -> None:
        if not self.ended.done():
            self.lose()


class Cluster:
    """A source that runs, and the connections that it has opened. `refused`: why a node refuses to consume."""

    def __init__(self) -> None:
        self.source = AmqpSource(ADDRESS, clock=StoppedClock(), settings=SETTINGS)
        self.opened: list[ScriptedConnection] = []
        self.refused: str | None = None

    async def open(
        self, _address: ClusterAddress, node: tuple[str, int], *, settings: IngestSettings, heard: Heard
    ) -> ScriptedConnection:
        self.opened.append(ScriptedConnection(node, heard, self.refused))
        return self.opened[-1]

    async def connection(self, number: int = 1) -> ScriptedConnection:
        """Wait until the source consumes on its connection of this number, and return the connection."""
        await eventually(lambda: len(self.opened) >= number and self.source.connected)
        return self.opened[-1]


@asynccontextmanager
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    cluster = Cluster()
    monkeypatch.setattr(AmqpConnection, "open", cluster.open)
    task = asyncio.create_task(cluster.source.run())
    try:
        yield cluster
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def batch(number: int, *, gateway: str = "gw_1", lane: Lane = Lane.NUMERIC, size: int = 1) -> ScriptedMessage:
    return ScriptedMessage(topics.up("tnt_a", gateway, lane), f"{number}".encode().ljust(size))


async def test_headers_that_rabbitmq_makes_of_user_properties_state_when_the_vehicle_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic = topics.up("tnt_a", "gw_1", Lane.EVENT)
    async with running(monkeypatch) as cluster:
        connection = await cluster.connection()
        for number, stated in enumerate(("17", b"18", 19, "nonsense")):
            message = ScriptedMessage(topic, f"{number}".encode(), argus_published_at_us=stated)
            await connection.deliver(message)
        found = [await cluster.source.next(live=False) for _ in range(4)]
    assert [one.published_at_us for one in found if isinstance(one, BatchDelivery)] == [17, 18, None, None]


async def test_messages_become_deliveries_in_order_and_are_accepted_only_by_ingest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as cluster:
        connection = await cluster.connection()
        await connection.deliver(batch(1), batch(2), ScriptedMessage(topics.status("tnt_a", "gw_1"), b"status"))
        first, second, status = [await cluster.source.next(live=live) for live in (True, True, False)]
        assert isinstance(first, BatchDelivery)
        assert (first.tenant_id, first.gateway_id, first.lane) == ("tnt_a", "gw_1", Lane.NUMERIC)
        assert (first.octets, second.octets) == (b"1", b"2")
        assert isinstance(status, StatusDelivery)
        assert connection.accepted == []
        await first.accept()
        assert connection.accepted == [b"1"]
        assert cluster.source.bytes_in_hand > 0
        await second.accept()
        await status.accept()
        assert cluster.source.bytes_in_hand == 0


async def test_copy_of_a_queued_batch_is_accepted_at_once_and_not_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as cluster:
        connection = await cluster.connection()
        await connection.deliver(batch(1), batch(1))
        assert connection.accepted == [b"1"]
        await (await cluster.source.next(live=True)).accept()
        assert cluster.source.next_now(live=True) is None
        await connection.deliver(batch(1))
        assert (await cluster.source.next(live=True)).octets == b"1"


async def test_lost_connection_discards_queued_deliveries_and_the_next_node_brings_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as cluster:
        connection = await cluster.connection()
        await connection.deliver(batch(1), batch(2))
        in_hand = await cluster.source.next(live=True)
        connection.lose()
        other = await cluster.connection(2)
        assert other.node != connection.node
        assert cluster.source.next_now(live=True) is None
        await connection.deliver(batch(3))  # the former connection still had it in its buffer
        await other.deliver(batch(1), batch(2))
        assert [(await cluster.source.next(live=True)).octets for _ in range(2)] == [b"1", b"2"]
        await in_hand.accept()
        assert cluster.source.next_now(live=True) is None


async def test_message_of_an_unknown_topic_is_accepted_and_not_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as cluster:
        connection = await cluster.connection()
        await connection.deliver(ScriptedMessage("argus/v1/tnt_a/gw_1/up/other", b"x"), batch(1))
        assert (await cluster.source.next(live=True)).octets == b"1"
        assert connection.accepted == [b"x"]


async def test_message_beyond_the_limit_of_its_sender_is_counted_and_left_to_the_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as cluster:
        connection = await cluster.connection()
        await connection.deliver(batch(1, size=3000), batch(2, size=3000), batch(1, gateway="gw_2"))
        assert cluster.source.left_out == 1
        assert [body.rstrip() for body in connection.accepted] == [b"2"]
        assert {(await cluster.source.next(live=True)).gateway_id for _ in range(2)} == {"gw_1", "gw_2"}


async def test_event_is_delivered_when_live_batches_have_filled_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.SETTINGS", replace(SETTINGS, queue_bytes_max=1))
    async with running(monkeypatch) as cluster:
        connection = await cluster.connection()
        await connection.deliver(batch(1), batch(2), batch(3, lane=Lane.EVENT))
        assert connection.accepted == [b"2"]
        assert (await cluster.source.next(live=False)).octets == b"3"


async def test_acknowledgement_is_published_to_the_topic_of_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    ack = Ack.of_ranges("epoch", Lane.EVENT, [(1, 3)])
    due = [DueAck("tnt_a", "gw_1", ack)]
    async with running(monkeypatch) as cluster:
        connection = await cluster.connection()
        assert await cluster.source.acknowledge(due) == [True]
        ((topic, payload),) = connection.published
        assert topic == topics.ack("tnt_a", "gw_1")
        assert decode_ack(payload) == ack
        connection.takes = False
        with capture_logs() as logged:
            assert await cluster.source.acknowledge(due) == [False]
        assert logged == []  # it does not mean that our rights are missing
    assert await cluster.source.acknowledge(due) == [False]


async def test_missing_queue_is_named_and_ingest_connects_when_it_has_been_declared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as cluster:
        cluster.refused = "RabbitMQ has no queue argus.up.03"
        await eventually(lambda: cluster.source.last_error == cluster.refused)
        assert not cluster.source.connected
        cluster.refused = None
        await cluster.connection()


async def test_node_that_does_not_listen_is_reported_without_the_password() -> None:
    address = ClusterAddress(
        nodes=parse_cluster_url("amqp://127.0.0.1:1", "amqp"), username="u", password="secret", queues=1
    )

    async def ignore(*_: object) -> None:
        raise AssertionError("no message can arrive")

    with pytest.raises(BrokerUnavailable, match=r"no connection to 127\.0\.0\.1") as caught:
        await AmqpConnection.open(address, ("127.0.0.1", 1), settings=SETTINGS, heard=ignore)
    assert "secret" not in str(caught.value)


def test_processes_divide_the_queues_and_only_those_of_a_lost_process_move() -> None:
    processes, names = [f"process-{number}" for number in range(4)], queue_names(16)

    def active(of: Sequence[str]) -> dict[str, str]:
        return {name: max(of, key=lambda process: consumer_priority(process, name)) for name in names}

    before, after = active(processes), active(processes[1:])
    assert set(Counter(before.values())) == set(processes)
    assert {name for name in names if before[name] != after[name]} == {
        name for name, process in before.items() if process == processes[0]
    }


def test_aio_pika_is_loaded_only_by_a_cloud_that_uses_rabbitmq() -> None:
    script = "import sys, cloud.vehicles.ingest.running, cloud.doctor; sys.exit('aio_pika' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_sections_of_a_cluster_name_its_nodes() -> None:
    section = MqttSection(url="amqps://a,b:9")
    assert section.is_rabbitmq
    assert section.nodes().hosts == (("a", 5671), ("b", 9))
    assert RabbitmqSection(management_url="https://a").management().of_each_node() == ("https://a:15671",)


# ---- the doctor


NODES = tuple(NodeState(f"rabbit@{name}", True, False) for name in "abc")


def queue(name: str = "q", **changed: Any) -> QueueState:
    names = tuple(node.name for node in NODES)
    given = {"messages": 0, "consumers": 2, "leader": names[0], "members": names, "online": names, **changed}
    return QueueState(name=name, **given)


@pytest.mark.parametrize(
    ("nodes", "level", "said"),
    [
        (NODES, "ok", "3 nodes run"),
        (NODES[:2], "warning", "add nodes up to three"),
        ((*NODES[:2], NodeState("rabbit@c", False, False)), "warning", "rabbit@c: not running"),
        ((NODES[0], *(NodeState(f"rabbit@{name}", False, False) for name in "bc")), "fault", "no majority"),
        ((*NODES[:2], NodeState("rabbit@c", True, True)), "fault", "too little memory or disk"),
    ],
)
def test_doctor_judges_the_nodes(nodes: Sequence[NodeState], level: str, said: str) -> None:
    finding = node_finding(nodes)
    assert (finding.level, said in finding.sentence) == (level, True)


@pytest.mark.parametrize(
    ("changed", "level", "said"),
    [
        ({}, "ok", "2 ingest processes"),
        ({"consumers": 0}, "fault", "No ingest process receives"),
        ({"online": ("rabbit@a",)}, "fault", "no majority"),
        ({"members": ("rabbit@a",), "online": ("rabbit@a",)}, "warning", "not kept on enough nodes"),
        ({"messages": QUEUED_MAX + 1}, "warning", "ingest is behind"),
    ],
)
def test_doctor_judges_the_queues(changed: dict[str, Any], level: str, said: str) -> None:
    finding = queue_finding([queue(**changed)], NODES)
    assert (finding.level, said in finding.sentence) == (level, True)


def test_doctor_notices_a_node_that_leads_no_queue() -> None:
    finding = queue_finding([queue(f"q{number}") for number in range(3)], NODES)
    assert (finding.level, "leads no queue" in finding.sentence) == ("warning", True)
    leaders = [queue(f"q{number}", leader=node.name) for number, node in enumerate(NODES)]
    assert queue_finding(leaders, NODES).level == "ok"
