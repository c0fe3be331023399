"""Erasing an encounter takes its batches out of packed objects; the others stay readable and verify."""

from pathlib import Path

import pytest

from cloud.clinical.waveforms import (
    ORPHAN_US,
    READERS_US,
    WAVEFORMS,
    OrphanSweeper,
    decode_object,
    waveform_objects,
    waveform_runs,
)
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, ObjectStoreUnavailable, StoredObject
from cloud.vehicles.erasure.place import OBJECT_AGE_US
from cloud.vehicles.verification.object_audit import ObjectAudit, ObjectsReport
from protocols.uplink.lanes import Lane
from tests.builders.erasure_world import SECOND_US, ErasureWorld, blocks
from tests.builders.ingest_cloud import OPERATOR
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle

# The statements run on both databases in other tests.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def world(database: Database, gateway: GatewayInVehicle, store: LocalObjects) -> ErasureWorld:
    return await ErasureWorld(database, gateway, objects=store).begin()


async def objects_report(world: ErasureWorld, store: LocalObjects) -> ObjectsReport:
    return await ObjectAudit(world.database, OPERATOR, store).run()


async def contents(store: LocalObjects) -> list[bytes]:
    return [
        await store.read_range(one.name, 0, one.size_bytes) async for page in store.pages(WAVEFORMS) for one in page
    ]


async def test_object_is_rewritten_without_the_batches_of_the_encounter(
    world: ErasureWorld, gateway: GatewayInVehicle, store: LocalObjects
):
    await world.cloud.take(*[blocks(gateway, 100 + number, at_s=1.0 + number) for number in range(5)])
    await world.assign(NOW_US + 3 * SECOND_US, NOW_US + 5 * SECOND_US)
    found = await world.erase()
    assert (found.observations, found.batches, found.others) == (2, 2, 0)
    assert await world.values() == [100, 101, 104]
    assert await world.sequences(waveform_runs, Lane.WAVEFORM) == [1, 5]
    (data,) = await contents(store)
    packed = decode_object(data)
    assert [(run.sequence, run.batches) for run in packed.index.runs] == [(1, 2), (5, 1)]
    (summary,) = packed.index.summaries
    assert list(summary.seconds.greatest) == [100, 101, 104]
    assert len(packed.erased) == 2
    assert (102).to_bytes(2, "big") * 50 not in data
    (report,) = await world.reports(rows=True)
    assert (report.findings, report.erased, report.through) == ([], 2, 5)
    found_alone = await objects_report(world, store)
    assert found_alone.intact
    assert [(lane.batches, lane.erased, lane.ranges) for lane in found_alone.lanes] == [(5, 2, [(1, 5)])]


async def test_values_of_others_in_an_erased_batch_stay_as_rows(
    world: ErasureWorld, gateway: GatewayInVehicle, store: LocalObjects
):
    await world.cloud.take(blocks(gateway, 1, 2, 3), blocks(gateway, 4, at_s=4.0))
    await world.assign(NOW_US + 2 * SECOND_US, NOW_US + 3 * SECOND_US)
    found = await world.erase()
    assert (found.observations, found.batches, found.others) == (1, 1, 2)
    assert await world.values() == [1, 3, 4]
    assert await world.findings() == []
    world.pass_days(92)
    await world.sweep("waveforms")
    assert await world.values() == [], "they have the retention period of waveforms"


@on_sqlite
async def test_object_of_one_encounter_alone_is_removed(
    world: ErasureWorld, gateway: GatewayInVehicle, store: LocalObjects
):
    await world.cloud.take(blocks(gateway, 1), blocks(gateway, 2))
    await world.assign(NOW_US, NOW_US + 60 * SECOND_US)
    await world.erase()
    assert await contents(store) == []
    assert await world.count(waveform_objects) == await world.count(waveform_runs) == 0
    await world.cloud.take(blocks(gateway, 3))
    assert await world.findings() == [], "the next batch is linked to the erased one"


@on_sqlite
async def test_batch_that_is_sent_again_later_is_erased_from_its_new_object(
    world: ErasureWorld, gateway: GatewayInVehicle, store: LocalObjects
):
    sent = [blocks(gateway, 1), blocks(gateway, 2, at_s=100.0)]
    await world.cloud.take(*sent)
    await world.assign(NOW_US, NOW_US + 60 * SECOND_US)
    await world.erase()
    await world.cloud.take(sent[0], blocks(gateway, 3, at_s=200.0))
    assert sorted(len(decode_object(data).envelopes) for data in await contents(store)) == [1, 2], "ingest packed it"
    world.pass_us(OBJECT_AGE_US + SECOND_US)
    await world.eraser.turn()
    world.pass_us(READERS_US)
    await world.work()
    assert [len(decode_object(data).envelopes) for data in await contents(store)] == [1, 1]
    assert await world.values() == [2, 3]
    assert await world.findings() == []


@on_sqlite
async def test_reader_of_a_former_object_has_time_to_end(
    world: ErasureWorld, gateway: GatewayInVehicle, store: LocalObjects
):
    await world.cloud.take(blocks(gateway, 1), blocks(gateway, 2, at_s=100.0))
    await world.assign(NOW_US, NOW_US + 60 * SECOND_US)
    await world.request()
    await world.eraser.turn()
    assert (await world.erased()).failure is not None, "the object is too young"
    assert await world.values() == [1, 2]
    world.pass_us(OBJECT_AGE_US)
    await world.eraser.turn()
    assert await world.values() == [2]
    assert len(await contents(store)) == 2, "the former object and the rewritten one"
    world.pass_us(READERS_US)
    await world.eraser.turn()
    assert len(await contents(store)) == 1


class FailingObjects(LocalObjects):
    """An object store that loses the response to the next put: the object is stored, and the caller gets an error."""

    fails = True

    async def put(self, name: str, data: bytes) -> StoredObject:
        stored = await super().put(name, data)
        if self.fails:
            self.fails = False
            raise ObjectStoreUnavailable
        return stored


@on_sqlite
async def test_rewriting_that_is_interrupted_after_the_put_is_repeated_and_its_orphan_removed(
    database: Database, gateway: GatewayInVehicle, tmp_path: Path
):
    store = FailingObjects(tmp_path / "objects")
    store.fails = False
    world = await ErasureWorld(database, gateway, objects=store).begin()
    await world.cloud.take(blocks(gateway, 1), blocks(gateway, 2, at_s=100.0))
    await world.assign(NOW_US, NOW_US + 60 * SECOND_US)
    await world.request()
    world.pass_us(OBJECT_AGE_US)
    store.fails = True
    await world.eraser.turn()
    assert "object store" in str((await world.erased()).failure)
    assert (len(await contents(store)), await world.findings()) == (2, [])
    await world.work()
    assert await world.values() == [2]
    assert await world.findings() == []
    world.pass_us(ORPHAN_US + SECOND_US)
    await OrphanSweeper(database, store, world.cloud.clock).sweep()
    (data,) = await contents(store)
    assert len(decode_object(data).erased) == 1


@on_sqlite
async def test_damaged_object_keeps_an_erasure_unfinished_and_is_named(
    world: ErasureWorld, gateway: GatewayInVehicle, store: LocalObjects
):
    await world.cloud.take(blocks(gateway, 1), blocks(gateway, 2, at_s=100.0))
    await world.cloud.take(blocks(gateway, 3, at_s=200.0))
    await world.assign(NOW_US, NOW_US + 60 * SECOND_US)
    await world.request()
    (*_, last) = [one async for page in store.pages(WAVEFORMS) for one in page]
    whole = await store.read_range(last.name, 0, last.size_bytes)
    await store.put(last.name, whole[:-1] + b"x")
    world.pass_us(OBJECT_AGE_US)
    await world.eraser.turn()
    assert last.name in str((await world.erased()).failure)
    await store.put(last.name, whole)
    await world.work()
    assert await world.values() == [2, 3]
