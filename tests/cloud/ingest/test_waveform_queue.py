"""Waveforms wait for those of other vehicles and for the object store; events and numerics wait for neither."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.clinical.waveforms import waveform_objects, waveform_runs
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, StoredObject
from cloud.vehicles.ingest import waveform_queue
from cloud.vehicles.ingest.source import Delivery
from cloud.vehicles.ingest.waveform_queue import WaveformQueue
from protocols.uplink.envelope import Envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
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


class QueueSource:
    """A source of the deliveries that a test puts."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[Delivery] = asyncio.Queue()

    async def next(self) -> Delivery:
        return await self.arrived.get()

    def next_now(self) -> Delivery | None:
        return None if self.arrived.empty() else self.arrived.get_nowait()


class Running:
    """An ingest that runs its loops, with a source that a test fills."""

    def __init__(self, cloud: CloudUnderTest) -> None:
        self.cloud = cloud
        self.source = QueueSource()

    def send(self, *envelopes: Envelope) -> None:
        for one in envelopes:
            self.source.arrived.put_nowait(self.cloud.handover.delivery(one))

    def acknowledged(self, lane: Lane) -> int:
        return max([ack.through_sequence for _, ack in self.cloud.handover.acks if ack.lane is lane], default=0)


@pytest.fixture
def store(tmp_path: Path) -> HeldObjects:
    return HeldObjects(tmp_path / "objects")


@asynccontextmanager
async def running(database: Database, store: HeldObjects, *gateways: GatewayInVehicle) -> AsyncIterator[Running]:
    started = Running(await CloudUnderTest(database, objects=store).register(*gateways))
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
        assert len(ingest.cloud.handover.accepted) == 4


async def test_waveforms_of_several_vehicles_that_wait_share_one_object(database: Database, store: HeldObjects) -> None:
    gateways = [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in range(1, 5)]
    async with running(database, store, *gateways) as ingest:
        ingest.send(waves(gateways[0]))
        await eventually(lambda: ingest.source.arrived.empty())
        for each in gateways:
            ingest.send(waves(each))
        await eventually(lambda: ingest.source.arrived.empty())
        store.available.set()
        await eventually(lambda: len(ingest.cloud.handover.acks) >= 4)
        assert len(await ingest.cloud.rows(waveform_objects)) <= 2
        assert len(await ingest.cloud.rows(waveform_runs)) in (4, 5)


async def test_waveforms_beyond_the_limit_are_let_go_and_taken_when_they_are_resent(
    database: Database, store: HeldObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waveform_queue, "BACKLOG_BYTES_MAX", 1_000)
    gateway = GatewayInVehicle()
    sent = [waves(gateway) for _ in range(20)]
    async with running(database, store, gateway) as ingest:
        for one in sent:
            ingest.send(one)
            await eventually(lambda: ingest.source.arrived.empty())
        await eventually(lambda: len(ingest.cloud.handover.accepted) > 0)
        store.available.set()
        await eventually(lambda: ingest.acknowledged(Lane.WAVEFORM) > 0)
        assert ingest.acknowledged(Lane.WAVEFORM) < len(sent)

        async def all_acknowledged() -> bool:
            """Resend, as a gateway does until everything is acknowledged: a resent batch may find no room again."""
            for one in sent:
                ingest.send(one)
                await eventually(lambda: ingest.source.arrived.empty())
            return ingest.acknowledged(Lane.WAVEFORM) == len(sent)

        await eventually(all_acknowledged)


@dataclass
class Sized:
    envelope_bytes: int
    observations: int


async def test_queue_returns_a_full_object_without_waiting_and_leaves_the_rest() -> None:
    queue = WaveformQueue[Sized](wait_s=60.0, bytes_most=100, observations_most=10)
    for _ in range(4):
        assert queue.put(Sized(30, 4))
    async with asyncio.timeout(5):
        assert await queue.take() == [Sized(30, 4)] * 3  # 12 observations
        assert queue.put(Sized(100, 1))
        assert await queue.take() == [Sized(30, 4), Sized(100, 1)]
