"""Acknowledgements wait for a broker that does not respond, and batches do not."""

import asyncio

import pytest

from cloud.foundation.db import Database
from cloud.vehicles.ingest import ack_queue
from cloud.vehicles.ingest.ack_queue import AckQueue
from cloud.vehicles.ingest.source import DueAck
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.ingest_source import ListedSource, SlowAnswers
from tests.harness.eventually import eventually


def due(through: int, lane: Lane = Lane.NUMERIC) -> DueAck:
    return DueAck("ten_test", "gw_test", Ack(epoch="epoch-a", lane=lane, through_sequence=through))


async def test_queue_sends_the_last_acknowledgement_of_each_lane_when_the_broker_responds_again() -> None:
    answers = SlowAnswers()
    queue = AckQueue(answers)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(queue.run())
        assert await queue.acknowledge([due(1)]) == [True]
        await answers.asked.wait()
        for acks in ([due(2)], [due(5, Lane.WAVEFORM)], [due(3)]):
            assert await queue.acknowledge(acks) == [True]
        answers.let.set()
        queue.end()
    assert [(ack.lane, ack.through_sequence) for ack in answers.acks] == [
        (Lane.NUMERIC, 1),
        (Lane.NUMERIC, 3),
        (Lane.WAVEFORM, 5),
    ]


async def test_acknowledgement_with_less_does_not_replace_the_one_before_it() -> None:
    answers = SlowAnswers()
    answers.let.set()
    queue = AckQueue(answers)
    for through in (3, 1, 2):
        assert await queue.acknowledge([due(through)]) == [True]
    queue.end()
    await queue.run()
    assert [ack.through_sequence for ack in answers.acks] == [3, 2]


async def test_queue_without_room_takes_acknowledgements_of_queued_lanes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ack_queue, "LANES_MAX", 1)
    queue = AckQueue(SlowAnswers())
    assert await queue.acknowledge([due(1), due(1, Lane.EVENT), due(2)]) == [True, False, True]


async def test_batches_are_stored_and_accepted_while_the_broker_does_not_confirm_acknowledgements(
    database: Database,
) -> None:
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(gateway)
    answers = SlowAnswers()
    source = ListedSource([cloud.handover.delivery(gateway.send(97.0))])
    running = asyncio.ensure_future(cloud.ingest.run(source, answers))
    await answers.asked.wait()
    source.add(cloud.handover.delivery(gateway.send(98.0)))
    await eventually(lambda: len(cloud.handover.accepted) == 2)
    running.cancel()
    answers.let.set()
    await asyncio.wait([running])
    assert [ack.through_sequence for ack in answers.acks] == [1, 2]
