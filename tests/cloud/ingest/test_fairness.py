"""Many batches of one gateway do not delay the batches of other gateways.

Ingest serves the gateways in turn, and each gateway may occupy a limited part of the queue.
"""

import asyncio
from collections import deque
from pathlib import Path

import pytest

from cloud.foundation.db import Database
from cloud.vehicles.ingest import BrokerAddress, IngestSettings, MqttSource
from cloud.vehicles.ingest.fair_queue import DELIVERY_BYTES, FairQueue
from cloud.vehicles.ingest.held_pubacks import HeldPubacks
from cloud.vehicles.ingest.service import Ingest
from cloud.vehicles.ingest.source import Delivery
from protocols.uplink.envelope import BatchKind, Envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import BLOCK_OBSERVATIONS_MAX
from protocols.uplink.mqtt_packets import ReceivedMessage
from tests.builders.ingest_cloud import CloudUnderTest, Handover, StoppedClock
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle
from tests.builders.statement_count import CountingDatabase
from tests.builders.uplink_bombs import block_of_devices, block_of_zeros
from tests.harness.broker import CLOUD_USER, GATEWAY, broker_running, password_of
from tests.harness.eventually import eventually
from tests.harness.vehicle import vehicle_at

pytestmark = pytest.mark.finding("security-2")


def deliveries(gateway: str, count: int, *, size_bytes: int = 100) -> list[Delivery]:
    handover = Handover()
    return [handover.delivery(bytes([number]) * size_bytes, gateway=gateway) for number in range(count)]


def drained(queue: FairQueue) -> list[tuple[str, int]]:
    found = []
    while (one := queue.get_now(live=True)) is not None:
        found.append((one.gateway_id, one.octets[0]))
    return found


def test_delivery_queue_alternates_between_gateways_and_keeps_the_order_of_each_gateway():
    queue = FairQueue(sender_bytes_max=1 << 20, bytes_max=1 << 20)
    for one in (*deliveries("abuser", 100), *deliveries("gw_a", 2), *deliveries("gw_b", 2)):
        assert queue.put(one)
    assert drained(queue)[:7] == [
        ("abuser", 0),
        ("gw_a", 0),
        ("gw_b", 0),
        ("abuser", 1),
        ("gw_a", 1),
        ("gw_b", 1),
        ("abuser", 2),
    ]


def test_delivery_over_the_queue_limit_of_a_gateway_is_refused_until_another_delivery_is_released():
    size = 100 + DELIVERY_BYTES
    queue = FairQueue(sender_bytes_max=3 * size, bytes_max=100 * size)
    many = deliveries("abuser", 5)
    assert [queue.put(one) for one in many] == [True, True, True, False, False]
    assert queue.put(deliveries("gw_a", 1)[0])
    taken = queue.get_now(live=True)
    assert taken is not None
    assert not queue.put(many[3])  # still in progress
    queue.release(taken)
    assert queue.put(many[3])


def test_single_delivery_larger_than_the_queue_limit_of_its_gateway_is_queued():
    queue = FairQueue(sender_bytes_max=10, bytes_max=1 << 20)
    assert queue.put(deliveries("gw_a", 1)[0])


def test_delivery_queue_recognises_a_copy_of_a_batch_until_the_first_is_released():
    queue = FairQueue(sender_bytes_max=1 << 20, bytes_max=1 << 20)
    (first,), (copy,) = deliveries("gw_a", 1), deliveries("gw_a", 1)
    assert not queue.has(first)
    queue.put(first)
    assert queue.has(copy)
    assert not queue.has(deliveries("gw_b", 1)[0])
    assert not queue.has(Handover().delivery(first.octets, gateway="gw_a", lane=Lane.WAVEFORM))
    assert queue.get_now(live=True) is first
    assert queue.has(copy)
    queue.release(first)
    assert not queue.has(copy)


def test_delivery_queue_counts_the_bytes_of_deliveries_in_progress():
    size = 100 + DELIVERY_BYTES
    queue = FairQueue(sender_bytes_max=1 << 20, bytes_max=2 * size)
    for one in deliveries("gw_a", 2):
        queue.put(one)
    assert not queue.has_room(live=True)
    taken = queue.get_now(live=True)
    assert not queue.has_room(live=True)
    assert taken is not None
    queue.release(taken)
    assert queue.has_room(live=True)
    assert queue.clear() == 1
    assert queue.bytes == 0


def test_event_is_taken_apart_from_the_live_batches_of_its_gateway_and_counts_with_them():
    handover, size = Handover(), 1 + DELIVERY_BYTES
    queue = FairQueue(sender_bytes_max=1 << 20, bytes_max=2 * size)
    wave = handover.delivery(b"1", gateway="gw_a", lane=Lane.WAVEFORM)
    event = handover.delivery(b"2", gateway="gw_a", lane=Lane.EVENT)
    assert queue.put(wave)
    assert queue.get_now(live=False) is None
    assert queue.put(event)
    assert not queue.has_room(live=True)
    assert queue.get_now(live=False) is event
    assert queue.get_now(live=False) is None
    assert queue.get_now(live=True) is wave
    for one in (wave, event):
        queue.release(one)
        assert queue.put(one)
    assert queue.clear() == 2
    assert (queue.bytes, queue.get_now(live=True), queue.get_now(live=False)) == (0, None, None)


def test_event_has_room_when_live_batches_have_filled_the_queue():
    handover, size = Handover(), 1 + DELIVERY_BYTES
    queue = FairQueue(sender_bytes_max=1 << 20, bytes_max=size, other_bytes_max=size)
    assert queue.put(handover.delivery(b"1", gateway="gw_a", lane=Lane.WAVEFORM))
    assert not queue.has_room(live=True)
    assert queue.has_room(live=False)
    assert queue.put(handover.delivery(b"2", gateway="gw_a", lane=Lane.EVENT))
    assert not queue.has_room(live=False)


def test_held_pubacks_leave_an_eighth_of_the_window_free_in_messages_and_in_bytes():
    held = HeldPubacks(messages_max=16, bytes_max=1600)
    small, large = (ReceivedMessage(b"t", bytes(size), 1, size) for size in (1, 500))
    for _ in range(14):
        assert not held.is_full
        held.add(small)
    assert (held.is_full, held.is_over) == (True, False)
    held.add(small)
    assert held.is_over
    held.clear()
    for message in (large, small, large, large):
        assert not held.is_full
        held.add(message)
    assert held.is_over
    assert [held.pop(), held.pop()] == [large, small]
    assert not held.is_full


class QueueSource:
    """A `BatchSource` that returns these deliveries in the order of the fair queue, without a broker."""

    def __init__(self, *waiting: Delivery) -> None:
        self._queue = FairQueue(sender_bytes_max=1 << 30, bytes_max=1 << 30)
        for one in waiting:
            self._queue.put(one)

    async def next(self, *, live: bool) -> Delivery:
        return await self._queue.get(live=live)

    def next_now(self, *, live: bool) -> Delivery | None:
        return self._queue.get_now(live=live)


def abuse(gateway: GatewayInVehicle, count: int) -> list[Envelope]:
    """Return `count` batches that are expensive to store, alternating between two forms.

    One form names thousands of devices, the other decompresses to the highest number of observations.
    """
    devices = block_of_devices(6_000, wall_offset_us=NOW_US)
    zeros = block_of_zeros(BLOCK_OBSERVATIONS_MAX, wall_offset_us=NOW_US)
    kinds = deque([(devices, 6_000), (zeros, BLOCK_OBSERVATIONS_MAX)])
    sent = []
    for _ in range(count):
        payload, observations = kinds[0]
        kinds.rotate()
        sent.append(gateway.send_raw(BatchKind.OBSERVATIONS, payload, count=observations))
    return sent


async def test_batch_queued_behind_a_hundred_batches_of_another_gateway_is_written_in_the_first_group(
    database: Database,
):
    abuser, honest = GatewayInVehicle(gateway="gw_abuser", key_seed=2), GatewayInVehicle()
    counted = CountingDatabase(database)
    cloud = await CloudUnderTest(counted).register(abuser, honest)
    waiting = [cloud.handover.delivery(one) for one in (*abuse(abuser, 100), honest.send(97.0))]
    before = counted.statements
    collected = await cloud.ingest.opener.collect(QueueSource(*waiting), live=True)
    assert [one.gateway_id for one in collected[:2]] == ["gw_abuser", "gw_test"]
    for group in await cloud.ingest.opener.open(collected[:4]):
        await cloud.ingest.write(group, cloud.handover)
    assert ("gw_test", 1) in [(gateway, ack.through_sequence) for gateway, ack in cloud.handover.acks]
    assert counted.statements - before < 60


async def test_batches_of_one_gateway_are_acknowledged_before_the_flood_of_another_gateway_is_processed(
    database: Database,
):
    abuser, honest = GatewayInVehicle(gateway="gw_abuser", key_seed=2), GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(abuser, honest)
    settings = IngestSettings(group_batches_max=4)
    ingest = Ingest(database=database, writer=cloud.writer(), clock=cloud.clock, settings=settings)
    waiting = [cloud.handover.delivery(one) for one in (*abuse(abuser, 24), *honest.many(3))]
    running = asyncio.ensure_future(ingest.run(QueueSource(*waiting), cloud.handover))
    await eventually(lambda: len(cloud.handover.accepted) == len(waiting), within_s=60)
    running.cancel()
    await asyncio.wait([running])
    order = [gateway for gateway, _ in cloud.handover.acks]
    assert order.index("gw_test") <= 1  # in the first group
    ends = [ack.through_sequence for gateway, ack in cloud.handover.acks if gateway == "gw_test"]
    assert ends[-1] == 3
    assert len(ends) <= 2
    assert [ack.through_sequence for gateway, ack in cloud.handover.acks if gateway == "gw_abuser"][-1] == 24


@pytest.mark.broker
async def test_flood_of_one_gateway_does_not_fill_the_receive_window_of_the_broker(tmp_path: Path):
    """More messages than the receive window are queued and none is accepted, and another gateway's still arrives."""
    async with broker_running(tmp_path / "broker") as broker:
        address = BrokerAddress(url=broker.url, username=CLOUD_USER, password=password_of(CLOUD_USER))
        settings = IngestSettings(receive_max=4, sender_bytes_max=20 * DELIVERY_BYTES)
        source = MqttSource(address, clock=StoppedClock(), settings=settings)
        receiving = asyncio.ensure_future(source.run())
        try:
            await eventually(lambda: source.connected)
            abuser = GatewayInVehicle(gateway=GATEWAY)
            async with vehicle_at(broker) as vehicle:
                await vehicle.publish(*abuser.many(60))
                await eventually(lambda: source.left_out > 0)
                assert source.bytes_in_hand <= 20 * DELIVERY_BYTES
                await vehicle.publish_status()
            held = [await source.next(live=True)]
            while (more := source.next_now(live=True)) is not None:
                held.append(more)
            assert 4 < len(held) < 60
        finally:
            receiving.cancel()
            await asyncio.wait([receiving])
