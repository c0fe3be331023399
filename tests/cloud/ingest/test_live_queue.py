"""Numerics and waveforms wait for those of other vehicles while the load is low; events never wait, and only waveforms
wait for the object store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloud.clinical.waveforms import waveform_objects, waveform_runs
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, StoredObject
from cloud.vehicles.ingest import live_queue
from cloud.vehicles.ingest.delivery_group import Group
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.live_queue import BATCHES_FULL, ROWS_FULL, LiveQueue, Pack
from cloud.vehicles.ingest.source import BatchDelivery
from protocols.uplink.envelope import Envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import CloudUnderTest, Handover
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.ingest_source import ListedSource
from tests.builders.waveforms import waves
from tests.harness.eventually import eventually


class HeldObjects(LocalObjects):
    """A folder of objects whose puts wait until `available` is set."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.available = asyncio.Event()

    async def put(self, name: str, data: bytes) -> StoredObject:
        await self.available.wait()
        return await super().put(name, data)


class Running:
    """An ingest that runs its loops, with a source that a test fills."""

    def __init__(self, cloud: CloudUnderTest) -> None:
        self.cloud = cloud
        self.source = ListedSource([])

    def send(self, *envelopes: Envelope) -> None:
        for one in envelopes:
            self.source.add(self.cloud.handover.delivery(one))

    def acknowledged(self, lane: Lane) -> int:
        return max([ack.through_sequence for _, ack in self.cloud.handover.acks if ack.lane is lane], default=0)


@pytest.fixture
def store(tmp_path: Path) -> HeldObjects:
    return HeldObjects(tmp_path / "objects")


@asynccontextmanager
async def running(
    database: Database, store: HeldObjects, *gateways: GatewayInVehicle, settings: IngestSettings | None = None
) -> AsyncIterator[Running]:
    started = Running(await CloudUnderTest(database, objects=store, settings=settings).register(*gateways))
    task = asyncio.create_task(started.cloud.ingest.run(started.source, started.cloud.handover))
    try:
        yield started
    finally:
        store.available.set()
        task.cancel()
        await asyncio.wait([task])


async def test_events_and_numerics_are_acknowledged_while_the_object_store_hangs(
    database: Database, store: HeldObjects
) -> None:
    gateway = GatewayInVehicle()
    async with running(database, store, gateway) as ingest:
        ingest.send(waves(gateway), gateway.send(97.0), gateway.send_event(), waves(gateway))
        await eventually(lambda: ingest.acknowledged(Lane.NUMERIC) and ingest.acknowledged(Lane.EVENT))
        assert ingest.acknowledged(Lane.WAVEFORM) == 0
        store.available.set()
        await eventually(lambda: ingest.acknowledged(Lane.WAVEFORM) == 2)
        await eventually(lambda: len(ingest.cloud.handover.accepted) == 4)


async def test_waveforms_of_several_vehicles_that_wait_share_one_object(database: Database, store: HeldObjects) -> None:
    gateways = [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in range(1, 5)]
    async with running(database, store, *gateways) as ingest:
        ingest.send(waves(gateways[0]))
        await eventually(lambda: ingest.source.is_empty)
        for each in gateways:
            ingest.send(waves(each))
        await eventually(lambda: ingest.source.is_empty)
        store.available.set()
        await eventually(lambda: len(ingest.cloud.handover.acks) >= 4)
        assert len(await ingest.cloud.rows(waveform_objects)) <= 2
        assert len(await ingest.cloud.rows(waveform_runs)) in (4, 5)


async def test_waveforms_beyond_the_limit_are_let_go_and_taken_when_they_are_resent(
    database: Database, store: HeldObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_queue, "BACKLOG_BYTES_MAX", 1_000)
    gateway = GatewayInVehicle()
    sent = [waves(gateway) for _ in range(20)]
    async with running(database, store, gateway) as ingest:
        for one in sent:
            ingest.send(one)
            await eventually(lambda: ingest.source.is_empty)
        await eventually(lambda: len(ingest.cloud.handover.accepted) > 0)
        store.available.set()
        await eventually(lambda: ingest.acknowledged(Lane.WAVEFORM) > 0)
        assert ingest.acknowledged(Lane.WAVEFORM) < len(sent)

        async def all_acknowledged() -> bool:
            """Resend, as a gateway does until everything is acknowledged: a resent batch may find no room again."""
            for one in sent:
                ingest.send(one)
                await eventually(lambda: ingest.source.is_empty)
            return ingest.acknowledged(Lane.WAVEFORM) == len(sent)

        await eventually(all_acknowledged)


def group_of(*envelopes: Envelope) -> Group:
    """Return a group of these batches as they arrived."""
    return Group(
        deliveries=[Handover().delivery(one) for one in envelopes],
        observations=sum(one.batch.count for one in envelopes),
    )


async def packed(waveforms: Group) -> Group:
    return waveforms


async def hangs(waveforms: Group) -> Group:
    await asyncio.Event().wait()
    return waveforms


@asynccontextmanager
async def queue_of(settings: IngestSettings, pack: Pack | None = packed) -> AsyncIterator[LiveQueue]:
    queue = LiveQueue(settings, pack)
    packing = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        packing.cancel()
        await asyncio.wait([packing])


async def turns(count: int = 20) -> None:
    """Let all tasks run that can."""
    for _ in range(count):
        await asyncio.sleep(0)


HOUR = IngestSettings(live_wait_s=3_600.0)


async def test_first_group_is_taken_at_once_and_the_next_batches_share_one(gateway: GatewayInVehicle) -> None:
    async with queue_of(HOUR) as queue:
        await queue.put(group_of(gateway.send()))
        assert len((await queue.take()).deliveries) == 1
        taking = asyncio.create_task(queue.take())
        await queue.put(group_of(gateway.send(), waves(gateway)))
        await turns()
        assert not taking.done()
        await queue.put(group_of(*gateway.many(BATCHES_FULL - 2)))
        lanes = [one.lane for one in (await taking).deliveries if isinstance(one, BatchDelivery)]
        assert (len(lanes), lanes.count(Lane.WAVEFORM)) == (BATCHES_FULL, 1)


async def test_group_after_a_full_one_is_taken_at_once(gateway: GatewayInVehicle) -> None:
    async with queue_of(HOUR) as queue:
        await queue.put(group_of(*gateway.many(BATCHES_FULL)))
        await queue.take()
        await queue.put(group_of(gateway.send()))
        assert len((await queue.take()).deliveries) == 1


async def test_rows_fill_a_group(gateway: GatewayInVehicle) -> None:
    async with queue_of(HOUR) as queue:
        await queue.put(group_of(gateway.send()))
        await queue.take()
        await queue.put(group_of(gateway.send(*[97.0] * ROWS_FULL)))
        assert (await queue.take()).observations == ROWS_FULL


async def test_group_takes_no_more_than_a_transaction_may_write(gateway: GatewayInVehicle) -> None:
    async with queue_of(IngestSettings(group_observations_max=10, live_wait_s=0.0)) as queue:
        await queue.put(group_of(gateway.send(*[97.0] * 8)))
        await queue.put(group_of(gateway.send(*[97.0] * 8)))
        waiting = asyncio.create_task(queue.put(group_of(gateway.send())))
        await turns()
        assert not waiting.done()
        assert (await queue.take()).observations == 16
        await waiting
        assert (await queue.take()).observations == 1


async def test_numerics_are_taken_without_waveforms_whose_object_is_late(gateway: GatewayInVehicle) -> None:
    async with queue_of(HOUR, hangs) as queue:
        await queue.put(group_of(waves(gateway), gateway.send()))
        (taken,) = (await queue.take()).deliveries
        assert isinstance(taken, BatchDelivery)
        assert taken.lane is Lane.NUMERIC


async def test_event_is_acknowledged_while_numerics_wait_for_others(
    database: Database, store: HeldObjects, gateway: GatewayInVehicle
) -> None:
    async with running(database, store, gateway, settings=HOUR) as ingest:
        ingest.send(gateway.send())
        await eventually(lambda: ingest.acknowledged(Lane.NUMERIC) == 1)
        ingest.send(gateway.send(), gateway.send_event())
        await eventually(lambda: ingest.acknowledged(Lane.EVENT) == 1)
        assert ingest.acknowledged(Lane.NUMERIC) == 1
