"""Staged objects that no process has in memory are written and removed, and no content of them ends ingest."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.clinical.devices import Devices
from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, ObjectStoreUnavailable, StoredObject
from cloud.vehicles.custody.tables import batches
from cloud.vehicles.fleet import RegisteredGateway
from cloud.vehicles.ingest import delivery_opening, staged_envelopes, staged_reading, staging
from cloud.vehicles.ingest.opening import Opened, Refused
from cloud.vehicles.ingest.source import BatchDelivery
from cloud.vehicles.ingest.staged_object import STAGED
from cloud.vehicles.ingest.staged_reading import StagedReader
from cloud.vehicles.ingest.staged_sweeping import LATEST_US
from cloud.vehicles.ingest.tables import staging_processes
from cloud.vehicles.verification.reprocess import Reprocessing
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle

HOUR_US = 3_600_000_000


class LateObjects(LocalObjects):
    """A folder of objects whose puts are reported as failed while `is_late`, and succeed."""

    is_late = False

    async def put(self, name: str, data: bytes) -> StoredObject:
        stored = await super().put(name, data)
        if self.is_late:
            raise ObjectStoreUnavailable
        return stored


@pytest.fixture
def store(tmp_path: Path) -> LateObjects:
    return LateObjects(tmp_path / "objects")


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: LateObjects) -> CloudUnderTest:
    """An ingest process that has received the first batch of numerics."""
    made = await CloudUnderTest(database, objects=store, staged=True, removes=True).register(gateway)
    await made.arrive(gateway.send(97.0))
    return made


async def staged_names(store: LocalObjects) -> list[str]:
    return [one.name async for page in store.pages(STAGED) for one in page]


async def numerics(cloud: CloudUnderTest) -> list[float]:
    return [row.number for row in await cloud.rows(observations)]


async def test_object_whose_put_failed_and_yet_succeeded_is_removed(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: LateObjects
) -> None:
    store.is_late = True
    await cloud.arrive(gateway.send(98.0))
    assert len(await staged_names(store)) == 1
    await cloud.staged.sweep()
    assert len(await staged_names(store)) == 1, "it may still be of a process that has it in memory"
    cloud.clock.at_us += HOUR_US
    await cloud.staged.sweep()
    assert await staged_names(store) == []
    assert await numerics(cloud) == [97.0, 98.0]


async def test_sweep_leaves_the_objects_of_batches_that_wait_in_memory(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: LateObjects
) -> None:
    await cloud.arrive(gateway.send(98.0))
    cloud.clock.at_us += HOUR_US
    await cloud.staged.sweep()
    assert len(await staged_names(store)) == 1
    assert await numerics(cloud) == [97.0]


async def test_sweep_writes_what_a_killed_process_staged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: LateObjects
) -> None:
    await cloud.arrive(gateway.send(98.0))
    other = CloudUnderTest(cloud.database, objects=store, staged=True, removes=True)
    other.clock.at_us += HOUR_US
    await other.staged.sweep()
    assert await numerics(cloud) == [97.0, 98.0]
    assert await staged_names(store) == []


async def test_batch_whose_payload_meets_an_error_in_the_code_is_stored_without_rows_and_delays_no_reader(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: LateObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("synthetic")

    await cloud.arrive(gateway.send(98.0), gateway.send(99.0))
    with monkeypatch.context() as broken:
        broken.setattr(staged_envelopes, "unpack", fail)
        await cloud.ingest.settle()
    assert [row.content for row in await cloud.rows(batches)] == ["rows", "unreadable", "unreadable"]
    assert await staged_names(store) == []
    (process,) = await cloud.rows(staging_processes)
    assert process.written_period == process.period
    done = await Reprocessing(cloud.database, Devices(cloud.ids)).run(TENANT)
    assert (done.unpacked, done.still_unreadable) == (2, 0)
    assert sorted(await numerics(cloud)) == [97.0, 98.0, 99.0]


async def test_envelope_that_meets_an_error_in_the_code_stays_in_its_object_and_does_not_end_ingest(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: LateObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cloud.arrive(gateway.send(98.0))

    def fail(*_: object) -> None:
        raise RuntimeError("synthetic")

    with monkeypatch.context() as broken:
        broken.setattr(staged_envelopes, "decode_envelope", fail)
        started = CloudUnderTest(cloud.database, objects=store, staged=True, removes=True)
        await started.staged.write_left()
        await cloud.ingest.settle()
        assert await numerics(cloud) == [97.0]
        assert len(await staged_names(store)) == 1
    await CloudUnderTest(cloud.database, objects=store, staged=True, removes=True).staged.write_left()
    assert await numerics(cloud) == [97.0, 98.0]


async def test_objects_are_encoded_and_decoded_beside_the_event_loop(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: LateObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def watched(work: Callable[..., object]) -> Callable[..., object]:
        def at_work(*arguments: object) -> object:
            threads.append(threading.current_thread())
            return work(*arguments)

        return at_work

    monkeypatch.setattr(staging, "encode_staged", watched(staging.encode_staged))
    monkeypatch.setattr(staged_reading, "decode_staged", watched(staged_reading.decode_staged))
    await cloud.arrive(gateway.send(98.0))
    await CloudUnderTest(cloud.database, objects=store, staged=True).staged.write_left()
    assert len(threads) == 2
    assert threading.main_thread() not in threads


async def test_other_tasks_run_between_the_batches_of_an_object(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: LateObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cloud.arrive(*gateway.many(5))
    turns: list[int] = []
    opening = staged_envelopes.open_delivery

    def watched(delivery: BatchDelivery, key: RegisteredGateway, *, unpacks: bool) -> Opened | Refused:
        asyncio.get_running_loop().call_soon(turns.append, len(opened))
        opened.append(delivery)
        return opening(delivery, key, unpacks=unpacks)

    opened: list[BatchDelivery] = []
    monkeypatch.setattr(delivery_opening, "OPENING_S_MAX", 0.0)
    monkeypatch.setattr(staged_envelopes, "open_delivery", watched)
    reader = StagedReader(store, cloud.database)
    found = [each async for each in reader.read_others((), set(), LATEST_US)]
    assert [len(each.batches) for each in found] == [5]
    assert turns == [0, 1, 2, 3, 4]
