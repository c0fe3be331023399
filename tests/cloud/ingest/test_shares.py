"""Several ingest processes at one mosquitto divide the gateways, and each lane reaches one of them in order."""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from cloud.foundation.clock import SystemClock
from cloud.foundation.master_key import MasterKey
from cloud.foundation.settings import read_settings
from cloud.settings import MODEL
from cloud.vehicles.fleet import ingest_group
from cloud.vehicles.ingest import BrokerAddress, IngestSettings, MqttSource, examine_processes
from cloud.vehicles.ingest.shared_gateways import PRESENT
from cloud.vehicles.ingest.shares import Share
from cloud.vehicles.ingest.source import BatchDelivery
from protocols.uplink import topics
from protocols.uplink.lanes import Lane
from tests.builders.cloud_settings import settings_file
from tests.builders.ingest_cloud import TENANT
from tests.harness.broker import CLOUD_USER, Broker, broker_running, password_of
from tests.harness.eventually import WITHIN_S, eventually

GROUP = "0" * 32
GATEWAYS = tuple(f"gw_{number}" for number in range(12))
SETTINGS = IngestSettings(share_overlap_s=0.1)


# ---- the division


def shares(count: int) -> list[Share]:
    """Return the shares of this many processes that all know of each other."""
    made = [Share(GROUP, f"process-{number}") for number in range(count)]
    for one in made:
        for other in made:
            one.note(other.process, present=True)
    return made


def test_each_gateway_belongs_to_exactly_one_process() -> None:
    of_process = Counter[str]()
    for number in range(300):
        (owner,) = [one for one in shares(3) if one.owns((TENANT, f"gw_{number}"))]
        of_process[owner.process] += 1
    assert all(50 < count < 150 for count in of_process.values())


def test_only_the_gateways_of_a_process_that_ended_move() -> None:
    made = shares(3)
    gateways = [(TENANT, f"gw_{number}") for number in range(100)]
    before = [{gateway for gateway in gateways if one.owns(gateway)} for one in made]
    for one in made[:2]:
        assert one.note(made[2].process, present=False)
    after = [{gateway for gateway in gateways if one.owns(gateway)} for one in made[:2]]
    assert all(was <= now for was, now in zip(before, after, strict=False))
    assert set().union(*after) == set(gateways)


def test_announcement_that_is_known_changes_nothing() -> None:
    share = Share(GROUP, "process-0")
    assert not share.note("process-0", present=True)
    assert not share.note("process-1", present=False)
    assert share.note("process-1", present=True)
    assert not share.note("process-1", present=True)
    assert not share.is_alone


# ---- at a broker


class Process:
    """An ingest process's source, and the batches that it has received: (gateway, number) in order."""

    def __init__(self, broker: Broker, group: str) -> None:
        address = BrokerAddress(url=broker.url, username=CLOUD_USER, password=password_of(CLOUD_USER), group=group)
        self.source = MqttSource(address, clock=SystemClock(), settings=SETTINGS)
        self.received: list[tuple[str, int]] = []
        self.statuses: Counter[str] = Counter()
        receiving = [asyncio.create_task(self._receive(live=live)) for live in (False, True)]
        self._tasks = [asyncio.create_task(self.source.run()), *receiving]

    async def _receive(self, *, live: bool) -> None:
        while True:
            delivery = await self.source.next(live=live)
            if isinstance(delivery, BatchDelivery):
                self.received.append((delivery.gateway_id, int(delivery.octets)))
            else:
                self.statuses[delivery.gateway_id] += 1
            await delivery.accept()

    @property
    def gateways(self) -> set[str]:
        return {gateway for gateway, _ in self.received}

    def die(self) -> None:
        """End the connection as a killed process does: without a DISCONNECT."""
        for task in self._tasks:
            task.cancel()
        connection = self.source._connection
        assert connection is not None
        connection._drop("killed")

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Fleet:
    """Gateways that are connected to the broker and publish numbered batches."""

    def __init__(self, clients: Sequence[aiomqtt.Client]) -> None:
        self._clients = clients
        self.sent = 0

    async def announce(self) -> None:
        for gateway, client in zip(GATEWAYS, self._clients, strict=True):
            await client.publish(topics.status(TENANT, gateway), b"{}", qos=1, retain=True)

    async def publish(self, count: int) -> range:
        """Publish this many further numbers on a lane of each gateway; return the numbers."""
        numbers = range(self.sent, self.sent + count)
        self.sent += count
        for number in numbers:
            for gateway, client in zip(GATEWAYS, self._clients, strict=True):
                await client.publish(topics.up(TENANT, gateway, Lane.NUMERIC), f"{number}".encode(), qos=1)
        return numbers


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with broker_running(tmp_path / "broker", gateways=GATEWAYS) as running:
        yield running


@asynccontextmanager
async def fleet_at(broker: Broker) -> AsyncIterator[Fleet]:
    async with silent_fleet_at(broker) as fleet:
        await fleet.announce()
        yield fleet


@asynccontextmanager
async def silent_fleet_at(broker: Broker) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                aiomqtt.Client(
                    *("127.0.0.1", broker.port),
                    username=gateway,
                    password=password_of(gateway),
                    protocol=aiomqtt.ProtocolVersion.V5,
                    timeout=WITHIN_S,
                )
            )
            for gateway in GATEWAYS
        ]
        yield Fleet(clients)


@asynccontextmanager
async def processes(broker: Broker, count: int, group: str = GROUP) -> AsyncIterator[list[Process]]:
    made: list[Process] = []
    try:
        for _ in range(count):
            made.append(Process(broker, group))
            await eventually(lambda: made[-1].source.connected)
        yield made
    finally:
        for one in made:
            await one.stop()


async def divided(made: Sequence[Process], fleet: Fleet) -> None:
    """Publish batches until each one reaches one process, once."""

    async def once() -> bool:
        for one in made:
            one.received.clear()
        begin = fleet.sent
        await fleet.publish(1)

        async def reached() -> bool:
            # Further ones, as a gateway resends: while a share moves, a batch may reach no process.
            await fleet.publish(1)
            return {name for one in made for name, number in one.received if number > begin} == set(GATEWAYS)

        await eventually(reached, what="a batch of each gateway reaches a process", poll_s=0.02)
        return count_of(made, range(begin, begin + 1)) == len(GATEWAYS)

    await eventually(once, what="each batch reaches one process, once", poll_s=0.05)
    # Again: after a restart of the broker, one process may learn a moment later than the other that it shares.
    await eventually(once, what="each batch reaches one process, once, again", poll_s=0.05)


def count_of(made: Sequence[Process], numbers: range) -> int:
    """Return how many batches with these numbers the processes have received."""
    return sum(number in numbers for one in made for _, number in one.received)


def arrived(made: Sequence[Process], numbers: range) -> dict[str, list[tuple[int, int]]]:
    """Return (process, number) of each arrival of these numbers, in order, for each gateway."""
    found: dict[str, list[tuple[int, int]]] = {gateway: [] for gateway in GATEWAYS}
    for place, one in enumerate(made):
        for gateway, number in one.received:
            if number in numbers:
                found[gateway].append((place, number))
    return found


def in_order(made: Sequence[Process], numbers: range) -> None:
    """Check that each gateway's numbers arrived once, in order, at one process."""
    for gateway, arrivals in arrived(made, numbers).items():
        assert len({place for place, _ in arrivals}) == 1, gateway
        assert [number for _, number in arrivals] == list(numbers), gateway


@pytest.mark.broker
async def test_processes_divide_the_gateways_and_keep_the_order_of_each_lane(broker: Broker) -> None:
    async with fleet_at(broker) as fleet, processes(broker, 3) as made:
        await divided(made, fleet)
        numbers = await fleet.publish(20)
        await eventually(lambda: count_of(made, numbers) == 20 * len(GATEWAYS))
        in_order(made, numbers)
        assert sum(bool(one.received) for one in made) > 1


@pytest.mark.broker
async def test_share_of_a_killed_process_is_taken_over_with_the_statuses_of_its_gateways(broker: Broker) -> None:
    async with fleet_at(broker) as fleet, processes(broker, 2) as made:
        await divided(made, fleet)
        lost = made.pop(0)
        before = Counter(made[0].statuses)
        lost.die()
        await divided(made, fleet)
        # Each gateway gets the marks of the cloud, so that it resends what the killed process had received.
        await eventually(lambda: all(made[0].statuses[each] > before[each] for each in GATEWAYS))
        numbers = await fleet.publish(5)
        await eventually(lambda: count_of(made, numbers) == 5 * len(GATEWAYS))
        in_order(made, numbers)


@pytest.mark.broker
async def test_process_that_stops_in_order_hands_its_share_over(broker: Broker) -> None:
    async with fleet_at(broker) as fleet, processes(broker, 2) as made:
        await divided(made, fleet)
        await made.pop(0).stop()
        await divided(made, fleet)


@pytest.mark.broker
async def test_single_process_receives_batches_also_of_a_gateway_without_a_status(broker: Broker) -> None:
    async with processes(broker, 1) as made:
        client = aiomqtt.Client(
            *("127.0.0.1", broker.port),
            username=GATEWAYS[0],
            password=password_of(GATEWAYS[0]),
            protocol=aiomqtt.ProtocolVersion.V5,
            timeout=WITHIN_S,
        )
        async with client:
            await client.publish(topics.up(TENANT, GATEWAYS[0], Lane.EVENT), b"7", qos=1)
            await eventually(lambda: made[0].received == [(GATEWAYS[0], 7)])


@pytest.mark.broker
async def test_restarted_broker_divides_the_gateways_again(broker: Broker) -> None:
    async with processes(broker, 2) as made:
        await broker.kill()
        await eventually(lambda: not any(one.source.connected for one in made))
        await broker.start()
        await eventually(lambda: all(one.source.connected for one in made))
        async with fleet_at(broker) as fleet:
            await divided(made, fleet)


@pytest.mark.broker
async def test_gateway_that_announces_itself_while_a_process_leaves_all_others_reaches_a_process(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with silent_fleet_at(broker) as fleet, processes(broker, 1) as made:
        connection = made[0].source._connection
        assert connection is not None
        unsubscribe = connection.unsubscribe

        async def unsubscribe_late(*topic_filters: str) -> bool:
            monkeypatch.undo()
            await fleet.announce()
            # The PUBACK follows the statuses.
            await connection.publish(topics.status(GROUP, made[0].source._share.process), PRESENT, retain=True)
            granted = await unsubscribe(*topic_filters)
            left.set()
            return granted

        left = asyncio.Event()
        monkeypatch.setattr(connection, "unsubscribe", unsubscribe_late)
        async with processes(broker, 1) as more:
            await left.wait()
            await divided([*made, *more], fleet)


@pytest.mark.broker
async def test_doctor_counts_the_connected_processes(broker: Broker, tmp_path: Path) -> None:
    key = tmp_path / "master.key"
    key.write_text(base64.b64encode(bytes(32)).decode())
    key.chmod(0o600)
    (tmp_path / "word").write_text(password_of(CLOUD_USER))
    mqtt = f'[mqtt]\nurl = "{broker.url}"\nusername = "{CLOUD_USER}"\npassword_file = "word"\n'
    settings = read_settings(settings_file(tmp_path, more=f'[secrets]\nmaster_key_file = "master.key"\n{mqtt}'), MODEL)

    async def sentence() -> str:
        (finding,) = await examine_processes(settings)
        return finding.sentence

    group = ingest_group(MasterKey(bytes(32)))
    assert "No ingest process" in await sentence()
    async with processes(broker, 1, group):
        assert "1 process receives all" in await sentence()
        async with processes(broker, 1, group):
            assert "2 processes divide" in await sentence()
    assert "No ingest process" in await sentence()
