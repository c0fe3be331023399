"""Signed batches of numerics move from rows to packed objects, and the chain of custody verifies before and after."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from cloud.clinical.waveforms import READERS_US, OrphanSweeper, waveform_objects, waveform_runs, waveform_sources
from cloud.foundation.db import Database, Transaction
from cloud.foundation.objects import LocalObjects, ObjectStoreUnavailable, StoredObject
from cloud.vehicles.custody import Content, batches, removed_ranges
from cloud.vehicles.packing import packer as packing
from cloud.vehicles.packing.packer import BatchPacker, PackingInterrupted
from cloud.vehicles.verification.object_audit import ObjectAudit
from protocols.uplink.envelope import encode_envelope
from tests.builders.ingest_cloud import OPERATOR
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.minute_rows import come_from_release_before
from tests.builders.packed_world import PackedWorld
from tests.builders.retention_world import numerics, waveform

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
DAY_US = 86_400_000_000


@pytest.fixture
async def world(database: Database, gateway: GatewayInVehicle, tmp_path: Path) -> PackedWorld:
    return await PackedWorld(database, gateway, folder=tmp_path / "objects").begin_after_days()


async def test_packed_batches_verify_with_their_minute_rows_and_keep_their_bytes(
    world: PackedWorld, gateway: GatewayInVehicle
):
    sent = [numerics(gateway) for _ in range(5)]
    await world.take_compacted(*sent, waveform(gateway), gateway.send_event())
    before = await world.values()
    assert await world.pack() == 5
    assert await world.sequences(batches) == []
    (run,) = [row for row in await world.cloud.rows(waveform_runs) if row.created_from_us is not None]
    assert (run.sequence, run.through_sequence, run.hashes) == (1, 5, b"".join(one.batch.hash for one in sent))
    assert len(await world.cloud.rows(waveform_sources)) == 1, "of the batch of waveforms"
    assert await world.values() == before
    reports = {report.lane: report for report in await world.reports(rows=True)}
    assert [report.findings for report in reports.values()] == [[], [], []]
    assert (reports["numeric"].batches, reports["numeric"].observations, reports["numeric"].through) == (5, 15, 5)
    audited = await ObjectAudit(world.database, OPERATOR, world.store).run()
    assert audited.intact
    assert [(lane.lane, lane.ranges) for lane in audited.lanes] == [("numeric", [(1, 5)]), ("waveform", [(1, 1)])]
    assert await world.pack() == 0


@on_sqlite
async def test_next_batch_and_repetition_are_judged_by_the_packed_run(world: PackedWorld, gateway: GatewayInVehicle):
    sent = [numerics(gateway) for _ in range(3)]
    await world.take_compacted(*sent)
    await world.pack()
    (ack,) = await world.cloud.take(sent[1])
    assert ack.through_sequence == 3
    await world.cloud.take(numerics(gateway))
    assert [(row.sequence, row.link) for row in await world.cloud.rows(batches)] == [(4, "linked")]
    assert await world.findings() == []


@on_sqlite
async def test_batches_stay_rows_until_their_values_have_moved(world: PackedWorld, gateway: GatewayInVehicle):
    await world.cloud.take(numerics(gateway), numerics(gateway))
    world.pass_days(7)
    assert await world.pack() == 0, "the day of arrival is not past the period"
    world.pass_days(1)
    assert await world.pack() == 0, "the values are single rows"
    await world.cloud.take(numerics(gateway))
    await world.compact()
    assert await world.pack() == 2, "the third one has just arrived"
    assert await world.sequences(batches) == [3]


@on_sqlite
async def test_nothing_is_packed_in_the_days_after_an_upgrade(
    database: Database, gateway: GatewayInVehicle, tmp_path: Path
):
    world = await PackedWorld(database, gateway, folder=tmp_path / "objects").begin()
    await come_from_release_before(database)
    await world.cloud.take(numerics(gateway))
    world.pass_days(20)
    assert await world.pack() == 0, "the job that moves values has not run"
    await world.compact()
    world.pass_days(6)
    assert await world.pack() == 0
    world.pass_days(1)
    await world.compact()
    assert await world.pack() == 1


@on_sqlite
async def test_batch_without_rows_stays_and_divides_the_run(world: PackedWorld, gateway: GatewayInVehicle):
    await world.take_compacted(*[numerics(gateway) for _ in range(5)])
    async with world.database.transaction() as tx:
        await tx.execute(update(batches).where(batches.c.sequence == 3).values(content=Content.KEPT.value))
    assert await world.pack() == 4
    assert await world.sequences(batches) == [3]
    assert await world.sequences(waveform_runs) == [1, 4]


@on_sqlite
async def test_run_ends_with_the_day_of_storing_and_at_a_broken_link(world: PackedWorld, gateway: GatewayInVehicle):
    await world.cloud.take(numerics(gateway), numerics(gateway))
    world.pass_days(1)
    await world.cloud.take(numerics(gateway))
    await world.take_compacted(gateway.signed(replace(numerics(gateway).batch, previous_hash=bytes(32))))
    assert await world.pack() == 4
    runs = [(row.sequence, row.through_sequence, row.link) for row in await world.cloud.rows(waveform_runs)]
    assert runs == [(1, 2, "linked"), (3, 3, "linked"), (4, 4, "broken")]


@on_sqlite
async def test_large_batches_are_packed_in_several_steps(
    world: PackedWorld, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    await world.take_compacted(*[numerics(gateway, 200) for _ in range(7)])
    size = len(encode_envelope(gateway.send(1.0)))
    monkeypatch.setattr(packing, "BYTES_AT_ONCE", size)
    assert await world.pack() == 7
    assert len(await world.object_names()) == 7
    assert await world.findings() == []


class FailingObjects(LocalObjects):
    """A store that fails before or after an object is put."""

    stored_first = False

    async def put(self, name: str, data: bytes) -> StoredObject:
        if self.stored_first:
            await super().put(name, data)
        raise ObjectStoreUnavailable


@pytest.mark.parametrize("stored_first", [False, True])
@on_sqlite
async def test_failed_put_leaves_the_rows_and_no_object(
    world: PackedWorld, gateway: GatewayInVehicle, stored_first: bool
):
    await world.take_compacted(*[numerics(gateway) for _ in range(3)])
    failing = FailingObjects(world.folder)
    failing.stored_first = stored_first
    with pytest.raises(ObjectStoreUnavailable):
        await world.packer(failing).walk()
    assert (await world.sequences(batches), await world.sequences(waveform_runs)) == ([1, 2, 3], [])
    await assert_packed_after_a_failure(world)


async def assert_packed_after_a_failure(world: PackedWorld) -> None:
    """Assert that the next walk packs everything once, and that nothing else is left after a day."""
    world.pass_us(packing.OTHER_US + 1)
    assert await world.pack() == 3
    world.pass_days(2)
    await OrphanSweeper(world.database, world.store, world.cloud.clock).sweep()
    (row,) = await world.cloud.rows(waveform_objects)
    assert await world.object_names() == [row.name]
    assert await world.sequences(batches) == []
    assert await world.findings() == []


@on_sqlite
async def test_failed_commit_leaves_the_rows_and_the_object_is_removed(
    world: PackedWorld, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    await world.take_compacted(*[numerics(gateway) for _ in range(3)])
    packer = world.packer()
    exchange = packer._exchange

    async def fail(tx: Transaction, *args: object) -> None:
        await exchange(tx, *args)  # type: ignore[arg-type]
        raise ConnectionError

    monkeypatch.setattr(packer, "_exchange", fail)
    with pytest.raises(ConnectionError):
        await packer.walk()
    assert len(await world.object_names()) == 1
    assert (await world.sequences(batches), await world.sequences(waveform_runs)) == ([1, 2, 3], [])
    await assert_packed_after_a_failure(world)


async def test_rows_that_change_during_a_step_are_not_packed(world: PackedWorld, gateway: GatewayInVehicle):
    class ChangingObjects(LocalObjects):
        async def put(self, name: str, data: bytes) -> StoredObject:
            async with world.database.transaction() as tx:
                await tx.execute(update(batches).where(batches.c.sequence == 2).values(link="broken"))
            return await super().put(name, data)

    await world.take_compacted(*[numerics(gateway) for _ in range(3)])
    with pytest.raises(PackingInterrupted):
        await world.packer(ChangingObjects(world.folder)).walk()
    assert (await world.sequences(batches), await world.sequences(waveform_runs)) == ([1, 2, 3], [])
    world.pass_us(packing.OTHER_US + 1)
    assert await world.pack() == 3
    assert await world.sequences(waveform_runs) == [1, 2]


@on_sqlite
async def test_cancelled_step_of_packing_lets_its_object_be_removed_soon(world: PackedWorld, gateway: GatewayInVehicle):
    class HangingObjects(LocalObjects):
        async def put(self, name: str, data: bytes) -> StoredObject:
            putting.set()
            await asyncio.Event().wait()
            raise AssertionError

    putting = asyncio.Event()
    await world.take_compacted(*[numerics(gateway) for _ in range(3)])
    walking = asyncio.ensure_future(world.packer(HangingObjects(world.folder)).walk())
    await putting.wait()
    walking.cancel()
    await asyncio.wait([walking])
    assert walking.cancelled()
    (row,) = await world.cloud.rows(waveform_objects)
    assert row.unused_us == world.cloud.clock.now_us() + READERS_US
    assert await world.pack() == 3, "the next step does not wait for the cancelled one"


async def test_of_two_processes_one_packs_and_the_other_leaves_the_rows(world: PackedWorld, gateway: GatewayInVehicle):
    others: list[int] = []

    class SlowObjects(LocalObjects):
        async def put(self, name: str, data: bytes) -> StoredObject:
            others.append(await world.pack())
            return await super().put(name, data)

    await world.take_compacted(*[numerics(gateway) for _ in range(3)])
    assert await world.packer(SlowObjects(world.folder)).walk() == 3
    assert others == [0]
    assert len(await world.cloud.rows(waveform_objects)) == 1


@on_sqlite
async def test_announced_object_is_not_adopted_when_it_may_be_removed(world: PackedWorld, gateway: GatewayInVehicle):
    class LateObjects(LocalObjects):
        async def put(self, name: str, data: bytes) -> StoredObject:
            world.pass_us(2 * 3_600_000_000)
            return await super().put(name, data)

    await world.take_compacted(*[numerics(gateway) for _ in range(3)])
    with pytest.raises(PackingInterrupted):
        await world.packer(LateObjects(world.folder)).walk()
    await assert_packed_after_a_failure(world)


async def test_packed_batches_expire_with_the_batches_and_values_stay(world: PackedWorld, gateway: GatewayInVehicle):
    await world.take_compacted(*[numerics(gateway) for _ in range(3)])
    await world.pack()
    await world.take_compacted(numerics(gateway))
    before = await world.values()
    world.pass_days(82)
    await world.sweep("batches")
    assert await world.sequences(waveform_runs) == []
    assert await world.sequences(batches) == [4]
    async with world.database.read() as tx:
        (removed,) = (await tx.execute(select(removed_ranges))).rows
    assert (removed.first_sequence, removed.last_sequence) == (1, 3)
    await OrphanSweeper(world.database, world.store, world.cloud.clock).sweep()
    assert await world.object_names() == []
    assert await world.values() == before
    assert await world.findings() == []


async def test_stop_is_respected_between_two_steps(
    world: PackedWorld, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(packing, "BATCHES_AT_ONCE", 1)
    await world.take_compacted(*[numerics(gateway) for _ in range(3)])
    stopping = asyncio.Event()
    stopping.set()
    assert await world.packer().walk(stopping) == 0
    assert isinstance(world.packer(), BatchPacker)
