"""Statuses and live batches of a gateway that moved wait for what its former process has staged, and nothing else."""

import asyncio

import pytest

from cloud.foundation.db import Database, DatabaseUnavailable
from cloud.foundation.objects import LocalObjects
from cloud.vehicles.ingest import staged_elsewhere, staged_requests
from cloud.vehicles.ingest.delivery_group import Group
from cloud.vehicles.ingest.late_batches import LateBatches
from cloud.vehicles.ingest.late_statuses import LateStatuses
from cloud.vehicles.ingest.settled_gateways import SettledGateways
from cloud.vehicles.ingest.source import Delivery
from protocols.uplink.envelope import Envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Status
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle
from tests.harness.eventually import eventually


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: LocalObjects) -> CloudUnderTest:
    """An ingest process that has received the first batch of numerics."""
    made = await CloudUnderTest(database, objects=store, staged=True, removes=True).register(gateway)
    await made.arrive(gateway.send(97.0))
    return made


@pytest.fixture
def reader(cloud: CloudUnderTest) -> CloudUnderTest:
    """A process with other roles, which reads the same database."""
    return CloudUnderTest(cloud.database, objects=cloud.objects, staged=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged_elsewhere, "ANSWER_S", 0.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for requests and for what became of them without delay."""
    monkeypatch.setattr(staged_requests, "REQUESTS_S", 0.0)
    monkeypatch.setattr(staged_elsewhere, "LOOK_S", 0.0)


def status() -> Status:
    return Status(
        gateway="gw_test", epoch="epoch-a", online=True, at_us=NOW_US, boot_id="boot-1", software="test", marks={}
    )


async def late_of(cloud: CloudUnderTest, late: LateStatuses, *deliveries: object) -> tuple[Group, Group]:
    (group,) = await cloud.ingest.opener.open(list(deliveries))  # type: ignore[arg-type]
    return group, late.take_from(group)


@pytest.mark.usefixtures("impatient")
async def test_first_status_waits_for_what_another_process_has_staged_and_events_do_not(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.arrive(gateway.send(98.0))
    late = LateStatuses(reader.stage.settled, reader.staged.settle_elsewhere)
    event = reader.handover.delivery(gateway.send_event())
    group, waiting = await late_of(reader, late, event, reader.handover.status_delivery(status()))
    assert [one.delivery for one in group.opened] == group.deliveries == [event]
    assert list(waiting.statuses) == [("ten_test", "gw_test")]
    late.put(waiting)
    ready = await late.next()
    await reader.ingest.write(ready, reader.handover)
    through = {ack.lane: ack.through_sequence for _, ack in reader.handover.acks}
    assert through[Lane.NUMERIC] == 2


async def test_later_statuses_of_a_gateway_wait_only_after_gateways_may_have_moved(
    cloud: CloudUnderTest, reader: CloudUnderTest
) -> None:
    late = LateStatuses(reader.stage.settled, reader.staged.settle_elsewhere)
    delivery = reader.handover.status_delivery(status())
    for _ in range(2):
        _, waiting = await late_of(reader, late, delivery)
        assert waiting.statuses
        late.put(waiting)
        await late.next()
        _, waiting = await late_of(reader, late, delivery)
        assert not waiting.statuses
        reader.stage.settled.forget()


async def test_gateway_that_moved_while_its_status_waited_is_not_known(
    cloud: CloudUnderTest, reader: CloudUnderTest
) -> None:
    async def moves() -> None:
        reader.stage.settled.forget()

    late = LateStatuses(reader.stage.settled, moves)
    _, waiting = await late_of(reader, late, reader.handover.status_delivery(status()))
    late.put(waiting)
    await late.next()
    _, waiting = await late_of(reader, late, reader.handover.status_delivery(status()))
    assert waiting.statuses


class MovingSource:
    """The source of a process to which a gateway moves while another process stages one of its batches."""

    def __init__(self, cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
        self._cloud = cloud
        self._gateway = gateway
        self._has_moved = False

    async def next(self, *, live: bool) -> Delivery:
        if self._has_moved or not live:
            await asyncio.get_running_loop().create_future()
        self._has_moved = True
        await self._cloud.arrive(self._gateway.send(98.0))
        return self._cloud.handover.delivery(self._gateway.send(99.0))

    def next_now(self, *, live: bool) -> Delivery | None:
        return None


@pytest.mark.usefixtures("impatient")
async def test_batch_of_a_gateway_that_moved_waits_for_what_the_former_process_staged(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    running = asyncio.ensure_future(reader.ingest.run(MovingSource(cloud, gateway), reader.handover))
    await eventually(lambda: reader.handover.acks)
    running.cancel()
    await asyncio.wait([running])
    assert [(ack.through_sequence, ack.missing) for _, ack in reader.handover.acks] == [(3, ())]


@pytest.mark.usefixtures("impatient")
async def test_lane_that_moves_without_a_sign_waits_for_what_the_former_process_staged(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    async def enter(group: Group) -> None:
        await reader.ingest.write(group, reader.handover)

    async def arrive(envelope: Envelope) -> tuple[int, object]:
        (group,) = await reader.ingest.opener.open([reader.handover.delivery(envelope)])
        late.take_from(group)
        if group.deliveries:
            await enter(group)
        else:
            await late.turn()
        _, ack = reader.handover.acks[-1]
        return ack.through_sequence, ack.missing

    late = LateBatches(SettledGateways(lanes_move=True), reader.staged.settle_elsewhere, enter)
    waveforms = gateway.many(2, lane=Lane.WAVEFORM)
    await arrive(waveforms[0])
    await cloud.arrive(gateway.send(98.0))
    await arrive(waveforms[1])
    assert await arrive(gateway.send(99.0)) == (3, ()), "numerics are in another queue than waveforms"
    await cloud.arrive(gateway.send(98.0))
    staged = await cloud.arrive(gateway.send(97.0))
    assert [ack.through_sequence for ack in staged] == [5]
    assert await arrive(gateway.send(96.0)) == (6, ()), "they came back"


async def test_lane_in_a_cluster_waits_only_behind_batches_that_did_not_arrive_here(
    reader: CloudUnderTest,
) -> None:
    settled = SettledGateways(lanes_move=True)
    batches = [reader.handover.delivery(each) for each in GatewayInVehicle().many(5)]
    first, second, third, fourth, fifth = [
        one for group in await reader.ingest.opener.open(batches) for one in group.opened
    ]
    assert [settled.receive(one) for one in (first, second, first, fourth, third, fourth)] == [
        True, True, True, False, True, True,
    ]  # fmt: skip
    settled.forget()
    assert not settled.receive(fifth)
    settled.add_received([fifth], settled.moves - 1)
    assert not settled.receive(fifth), "it moved meanwhile"
    settled.add_received([fifth], settled.moves)
    assert settled.receive(fifth)


async def test_batches_behind_one_that_waits_keep_their_order(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    entered: list[int] = []
    late: LateBatches

    async def arrive(value: float) -> list[int]:
        (group,) = await reader.ingest.opener.open([reader.handover.delivery(gateway.send(value))])
        late.take_from(group)
        return [one.batch.sequence for one in group.opened]

    async def settle() -> None:
        assert await arrive(99.0) == []

    async def enter(group: Group) -> None:
        if not entered:
            assert await arrive(96.0) == []
        entered.extend(one.batch.sequence for one in group.opened)

    late = LateBatches(reader.stage.settled, settle, enter)
    assert await arrive(98.0) == []
    await late.turn()
    await late.turn()
    assert entered == [2, 3, 4]
    assert await arrive(95.0) == [5]


async def test_batches_do_not_wait_after_rows_could_not_be_written(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    entered: list[int] = []

    async def fail() -> None:
        raise DatabaseUnavailable("(synthetic)")

    async def enter(group: Group) -> None:
        entered.append(len(group.opened))

    late = LateBatches(reader.stage.settled, fail, enter)
    for value, left in ((98.0, 0), (99.0, 1)):
        (group,) = await reader.ingest.opener.open([reader.handover.delivery(gateway.send(value))])
        late.take_from(group)
        assert len(group.opened) == left
        await late.turn()
    assert entered == [1, 0]
