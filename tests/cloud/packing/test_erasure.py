"""The erasure of an encounter finds its values in packed batches, and legal holds keep packed batches."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cloud.clinical.waveforms import (
    ANNOUNCED_US,
    NUMERICS,
    READERS_US,
    AnnouncedObjects,
    OrphanSweeper,
    WaveformObject,
    new_name,
    waveform_objects,
    waveform_runs,
)
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.moments import write_moment
from cloud.foundation.objects import LocalObjects, ObjectStoreUnavailable, StoredObject
from cloud.foundation.retention import DAY_US, HoldScope
from cloud.vehicles.custody import batches
from cloud.vehicles.erasure.model import Phase
from cloud.vehicles.erasure.place import OBJECT_AGE_US
from cloud.vehicles.ingest.staged_object import new_staged_name
from cloud.vehicles.ingest.staged_sweeping import LATE_US
from cloud.vehicles.packing import packer as packing
from protocols.device_time import DeviceTime, TimeKind
from tests.builders.erasure_world import SECOND_US
from tests.builders.ingest_cloud import OPERATOR, TENANT, StoppedClock
from tests.builders.ingest_gateway import GatewayInVehicle, readings, section
from tests.builders.packed_world import PackedWorld

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MEMORY_TIME = DeviceTime(TimeKind.RELATIVE, bytes(4))


@pytest.fixture
async def world(database: Database, gateway: GatewayInVehicle, tmp_path: Path) -> PackedWorld:
    return await PackedWorld(database, gateway, folder=tmp_path / "objects").begin_after_days()


async def stored_columns(world: PackedWorld) -> list[Mapping[str, object]]:
    """Return the rows of batches, without the times that a packed run has once for all its batches."""
    left_out = {"received_at_us", "stored_at_us", "traceparent"}
    rows = await world.cloud.rows(batches)
    return [{name: value for name, value in row._asdict().items() if name not in left_out} for row in rows]


async def test_unpacked_batches_are_the_rows_that_were_packed(world: PackedWorld, gateway: GatewayInVehicle):
    await world.take_compacted(*gateway.many(3))
    before = await stored_columns(world)
    assert await world.pack() == 3
    (name,) = await world.object_names()
    unpacker = world.place.unpacker
    assert await unpacker.unpack(name) == 3
    assert await stored_columns(world) == before
    assert await unpacker.unpack(name) == 0, "there is nothing more in it"
    assert await world.findings() == []
    assert await world.pack() == 3, "the batches are packed again"
    assert await world.findings() == []


async def test_values_in_packed_batches_are_erased_and_the_object_is_removed(
    world: PackedWorld, gateway: GatewayInVehicle
):
    begin_us = gateway.now_us
    sent = [gateway.send(*map(float, range(10 * number, 10 * number + 10))) for number in range(3)]
    gateway.now_us += 3_600 * SECOND_US
    await world.take_packed(*sent, gateway.send(99.0))
    (former,) = await world.object_names()
    await world.assign(begin_us + 4 * SECOND_US, begin_us + 6 * SECOND_US)
    found = await world.erase()
    assert (found.observations, found.batches, found.others) == (6, 3, 24)
    assert sorted(map(float, map(str, await world.values()))) == [
        *[float(number) for number in range(30) if number % 10 not in (3, 4)],
        99.0,
    ]
    assert await world.object_names() == [], "the payloads of erased batches are nowhere"
    assert await world.findings() == []
    assert await world.pack() == 1, "the batch of others is packed again"
    assert await world.findings() == []
    assert former not in await world.object_names()


@on_sqlite
async def test_tenant_with_an_erasure_at_work_is_not_packed(world: PackedWorld, gateway: GatewayInVehicle):
    begin_us = gateway.now_us
    await world.take_compacted(gateway.send(1.0), gateway.send(2.0))
    await world.assign(begin_us, begin_us + 10 * SECOND_US)
    await world.request()
    assert await world.pack() == 0
    assert (await world.work()).phase is Phase.DONE
    assert await world.values() == []
    assert await world.findings() == []


@on_sqlite
async def test_every_step_leaves_a_chain_that_verifies(world: PackedWorld, gateway: GatewayInVehicle):
    begin_us = gateway.now_us
    await world.take_packed(gateway.send(1.0, 2.0), gateway.send(3.0))
    await world.assign(begin_us, begin_us + 10 * SECOND_US)
    erasure = await world.request()
    while await world.eraser.step(erasure.erasure_id):
        assert await world.findings() == []
    assert (await world.work()).batches == 2


async def test_repetitions_from_a_memory_in_packed_batches_are_erased(world: PackedWorld, gateway: GatewayInVehicle):
    other = GatewayInVehicle(gateway="gw_other", key_seed=2)
    await world.cloud.register_gateway(other)
    begin_us = other.now_us = gateway.now_us
    (value,) = readings(97.0)
    memory = [section([replace(value, device_time=MEMORY_TIME)], stored=True, device_offset_us=begin_us)]
    await world.cloud.take(gateway.send_sections(memory))
    other.now_us += 3_600 * SECOND_US
    assert await world.take_packed(other.send(1.0), other.send_sections(memory), other.send(2.0)) == 4
    await world.assign(begin_us - SECOND_US, begin_us + SECOND_US)
    found = await world.erase()
    assert (found.observations, found.batches) == (1, 2)
    assert await world.values() == [1.0, 2.0]
    assert await world.object_names() == []
    assert await world.findings() == []


class CountingObjects(LocalObjects):
    """A store that counts the reads of each object."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reads: Counter[str] = Counter()

    async def read_range(self, name: str, first: int, size_bytes: int) -> bytes:
        self.reads[name] += 1
        return await super().read_range(name, first, size_bytes)


@on_sqlite
async def test_packed_run_is_read_once_however_often_a_device_has_resent_its_memory(
    world: PackedWorld, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(packing, "BATCHES_AT_ONCE", 1)
    other = GatewayInVehicle(gateway="gw_other", key_seed=2)
    await world.cloud.register_gateway(other)
    begin_us = other.now_us = gateway.now_us
    (value,) = readings(97.0)
    memory = [section([replace(value, device_time=MEMORY_TIME)], stored=True, device_offset_us=begin_us)]
    await world.cloud.take(gateway.send_sections(memory))
    other.now_us += 3_600 * SECOND_US
    sent = [send for number in range(4) for send in (other.send(float(number)), other.send_sections(memory))]
    assert await world.take_packed(*sent) == 9
    await world.assign(begin_us - SECOND_US, begin_us + SECOND_US)
    counting = world.cloud.objects = CountingObjects(world.folder)
    assert (await world.erase()).batches == 5
    assert await world.values() == [0.0, 1.0, 2.0, 3.0]
    left = await world.object_names()
    assert [counting.reads[name] for name in left] == [1] * 4
    assert await world.findings() == []


class UnavailableObjects(LocalObjects):
    """A store that puts an object, and then fails."""

    async def put(self, name: str, data: bytes) -> StoredObject:
        await super().put(name, data)
        raise ObjectStoreUnavailable


@on_sqlite
async def test_erasure_does_not_wait_for_the_object_of_a_failed_step_of_packing(
    world: PackedWorld, gateway: GatewayInVehicle
):
    begin_us = gateway.now_us
    await world.take_compacted(gateway.send(1.0))
    with pytest.raises(ObjectStoreUnavailable):
        await world.packer(UnavailableObjects(world.folder)).walk()
    await world.assign(begin_us, begin_us + 10 * SECOND_US)
    assert (await world.erase()).phase is Phase.DONE
    assert await world.object_names() == []


@on_sqlite
async def test_erasure_states_when_the_object_of_a_killed_packer_is_removed(
    world: PackedWorld, gateway: GatewayInVehicle
):
    begin_us = gateway.now_us
    await world.take_compacted(gateway.send(1.0))
    await world.assign(begin_us, begin_us + 10 * SECOND_US)
    await world.request()
    await world.eraser.turn()
    world.pass_us(OBJECT_AGE_US)
    now_us = world.cloud.clock.now_us()
    stored = StoredObject(new_name(world.cloud.ids, TENANT, now_us, first=NUMERICS), 1, bytes(32))
    async with world.database.transaction() as tx:
        await AnnouncedObjects().announce(tx, WaveformObject(tenant_id=TENANT, stored=stored, stored_at_us=now_us))
    await world.eraser.turn()
    assert f"may be removed from {write_moment(now_us + ANNOUNCED_US)} on" in str((await world.erased()).failure)
    world.pass_us(ANNOUNCED_US)
    await world.eraser.turn()
    world.pass_us(READERS_US)
    await world.eraser.turn()
    assert (await world.erased()).phase is Phase.DONE


@on_sqlite
async def test_erasure_waits_for_staged_batches_that_are_not_written(world: PackedWorld, gateway: GatewayInVehicle):
    begin_us = gateway.now_us
    await world.take_compacted(gateway.send(1.0))
    name = new_staged_name(world.cloud.ids)
    await world.store.put(name, b"damaged")
    world.pass_us(LATE_US + SECOND_US)
    await world.assign(begin_us, begin_us + 10 * SECOND_US)
    with pytest.raises(AssertionError, match=f"batches of {name} that are not written"):
        await world.erase()
    await world.store.remove(name)
    assert (await world.work()).phase is Phase.DONE


@on_sqlite
async def test_search_of_an_erasure_begins_after_what_was_staged_before_is_written(
    world: PackedWorld, gateway: GatewayInVehicle
):
    begin_us = gateway.now_us
    await world.take_compacted(gateway.send(1.0))
    name = new_staged_name(world.cloud.ids)
    await world.store.put(name, b"damaged")
    await world.assign(begin_us, begin_us + 10 * SECOND_US)
    world.pass_us(SECOND_US)
    await world.request()
    await world.eraser.turn()
    erasure = await world.erased()
    assert (erasure.phase, await world.values()) == (Phase.ROWS, [1.0])
    assert name in str(erasure.failure)
    await world.store.remove(name)
    await world.store.put(new_staged_name(UlidIds(StoppedClock(world.cloud.clock.at_us + 30 * DAY_US))), b"damaged")
    assert (await world.work()).phase is Phase.DONE


@on_sqlite
async def test_erasure_waits_while_an_object_cannot_be_read(world: PackedWorld, gateway: GatewayInVehicle):
    begin_us = gateway.now_us
    await world.take_packed(gateway.send(1.0))
    await world.assign(begin_us, begin_us + 10 * SECOND_US)
    await world.request()
    (name,) = await world.object_names()
    path = world.folder / name
    data = path.read_bytes()
    (run,) = await world.cloud.rows(waveform_runs)
    at = run.position + 20
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    await world.eraser.turn()
    erasure = await world.erased()
    assert erasure.phase is Phase.MINUTES
    assert erasure.failure is not None
    assert name in erasure.failure
    assert await world.values() == [1.0], "nothing was changed"
    path.write_bytes(data)
    assert (await world.work()).phase is Phase.DONE
    assert await world.values() == []


async def test_held_batches_stay_packed_and_the_others_expire(world: PackedWorld, gateway: GatewayInVehicle):
    begin_us = gateway.now_us
    await world.take_packed(*gateway.many(2))
    await world.take_packed(*gateway.many(2))
    await world.assign(begin_us, begin_us + 10 * SECOND_US)
    hold = await world.retention.hold(OPERATOR, HoldScope.ENCOUNTER, "enc_test", reason="Synthetic case")
    world.pass_days(100)
    await world.sweep("batches")
    assert await world.sequences(waveform_runs) == [1]
    assert len(await world.cloud.rows(waveform_objects)) == 2
    await OrphanSweeper(world.database, world.store, world.cloud.clock).sweep()
    assert len(await world.object_names()) == 1
    assert await world.findings() == []
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep("batches")
    assert await world.sequences(waveform_runs) == []
    assert await world.findings() == []
