"""A result is stored once for each content, and removed when its last reference goes."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from sqlalchemy import select, text

from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.objects import (
    Download,
    LocalObjects,
    ObjectDamaged,
    ObjectMissing,
    ObjectStore,
    Result,
    Results,
    ResultSweeper,
    ResultUpload,
    StoredObject,
    UploadMark,
)
from cloud.foundation.objects.sweeping import ORPHAN_US, UPLOAD_US
from cloud.foundation.objects.tables import result_objects
from tests.builders.ingest_cloud import StoppedClock
from tests.harness.eventually import eventually

NORTH, SOUTH = "tnt_north", "tnt_south"
CSV = Download("text/csv", "observations.csv")


class World:
    """A database and an object store, with the results in them."""

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self.database, self.objects = database, objects
        self.clock = StoppedClock()
        self.ids = UlidIds(self.clock)
        self.sweeper = ResultSweeper(database, objects, self.clock)

    async def store(self, id_: str, data: bytes, tenant_id: str = NORTH) -> tuple[Result, bool]:
        upload = ResultUpload(self.objects, self.ids, self.clock, tenant_id)
        await upload.add(data)
        result = Result(id_, tenant_id, await upload.finish(CSV), CSV)
        async with self.database.transaction() as tx:
            kept = await Results().keep(tx, result, self.clock.now_us())
        await upload.discard()
        return result, kept == result.stored.name

    async def release(self, *ids: str) -> int:
        async with self.database.transaction() as tx:
            return await Results().release(tx, ids, self.clock.now_us())

    async def found(self, id_: str) -> Result | None:
        async with self.database.read() as tx:
            return await Results().find(tx, id_)

    async def names(self) -> list[str]:
        prefixes = "results", "uploads"
        return [one.name for prefix in prefixes async for page in self.objects.pages(prefix) for one in page]


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, LocalObjects(tmp_path / "objects"))


async def test_result_is_found_by_the_id_of_its_owner_until_it_is_released(world: World) -> None:
    result, kept = await world.store("job_1", b"a,b\n")
    assert kept
    assert await world.found("job_1") == result
    assert result.stored.sha256 == hashlib.sha256(b"a,b\n").digest()
    assert await world.release("job_1", "job_unknown") == 1
    assert await world.found("job_1") is None


async def test_equal_results_of_a_tenant_are_one_object_until_the_last_reference_goes(world: World) -> None:
    first, _ = await world.store("job_1", b"equal")
    second, kept = await world.store("job_2", b"equal")
    assert not kept
    assert await world.sweeper.remove_unused() == 1
    with pytest.raises(ObjectMissing):
        await world.objects.read(second.stored)
    found = await world.found("job_2")
    assert found is not None
    assert found.stored == first.stored
    await world.release("job_1")
    assert await world.sweeper.remove_unused() == 0
    await world.release("job_2")
    assert await world.sweeper.remove_unused() == 1
    assert await world.names() == []


async def test_lost_object_is_replaced_for_all_its_references_until_the_last_one_goes(world: World) -> None:
    lost, _ = await world.store("job_1", b"equal")
    await world.objects.remove(lost.stored.name)
    found = await world.objects.put("results/tnt_north/20260101/found", b"equal")
    async with world.database.transaction() as tx:
        for _ in range(2):  # the second time as after another transaction
            await Results().replace(tx, lost.stored.name, found)
    moved = await world.found("job_1")
    assert moved is not None
    assert moved.stored == found
    _, kept = await world.store("job_2", b"equal")
    assert not kept
    await world.sweeper.remove_unused()
    assert await world.names() == [found.name]
    await world.release("job_1", "job_2")
    assert await world.sweeper.remove_unused() == 1
    assert await world.names() == []


async def test_result_is_released_while_its_lost_object_is_replaced(world: World) -> None:
    lost, _ = await world.store("job_1", b"equal")
    await world.store("job_2", b"equal")
    found = await world.objects.put("results/tnt_north/20260101/found", b"equal")
    names = result_objects.c.object_name

    async def is_row_awaited() -> bool:
        async with world.database.read() as tx:
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
            return bool((await tx.execute(waits)).scalar())

    async with world.database.transaction() as tx:  # which has the object, as `replace` has it first
        await tx.execute(select(names).where(names == lost.stored.name).with_for_update())
        releasing = asyncio.create_task(world.release("job_1"))
        if world.database.dialect == "postgresql":
            await eventually(is_row_awaited)
        await Results().replace(tx, lost.stored.name, found)
    assert await releasing == 1
    moved = await world.found("job_2")
    assert moved is not None
    assert moved.stored == found
    await world.release("job_2")
    async with world.database.read() as tx:
        assert found.name in await Results().unused(tx, 10)


async def test_equal_results_of_two_tenants_are_two_objects(world: World) -> None:
    (first, _), (second, kept) = await world.store("job_1", b"equal"), await world.store("job_2", b"equal", SOUTH)
    assert kept
    assert first.stored.name != second.stored.name


async def test_content_whose_last_reference_went_is_stored_again(world: World) -> None:
    first, _ = await world.store("job_1", b"equal")
    await world.release("job_1")
    second, kept = await world.store("job_2", b"equal")  # before the sweep
    assert kept
    assert await world.sweeper.remove_unused() == 1
    assert await world.objects.read(second.stored) == b"equal"
    with pytest.raises(ObjectMissing):
        await world.objects.read(first.stored)


async def test_orphan_is_removed_a_day_later_and_a_result_with_a_row_is_not(world: World) -> None:
    kept, _ = await world.store("job_1", b"kept")
    upload = ResultUpload(world.objects, world.ids, world.clock, NORTH)
    await upload.add(b"of a killed process")
    orphan = await upload.finish(CSV)
    world.clock.at_us += ORPHAN_US
    assert await world.sweeper.remove_orphans() == 0
    world.clock.at_us += 1_000_000
    assert await world.sweeper.remove_orphans() == 1
    with pytest.raises(ObjectMissing):
        await world.objects.read(orphan)
    world.clock.at_us += UPLOAD_US
    assert await world.sweeper.remove_orphans() == 1  # the part
    assert await world.names() == [kept.stored.name]


async def test_object_with_a_name_of_another_form_is_not_swept(world: World) -> None:
    await world.objects.put("results/by-hand", b"1")
    world.clock.at_us += 10 * UPLOAD_US
    assert await world.sweeper.remove_orphans() == 0


async def test_upload_continues_behind_its_mark_in_another_process(store: ObjectStore) -> None:
    clock = StoppedClock()
    ids = UlidIds(clock)
    first = ResultUpload(store, ids, clock, NORTH)
    await first.add(b"one,")
    mark = UploadMark.of(first.mark.document())
    await first.add(b"lost with its mark")
    second = ResultUpload(store, ids, clock, NORTH, mark)
    for part in (b"two,", b"three"):
        await second.add(part)
    stored = await second.finish(CSV)
    assert (stored.size_bytes, stored.sha256) == (13, hashlib.sha256(b"one,two,three").digest())
    assert await store.read(stored) == b"one,two,three"
    other = ResultUpload(store, ids, clock, NORTH)
    await other.add(b"of another upload")
    await second.discard()
    assert [one.name async for page in store.pages("uploads") for one in page] == [one.name for one in other.mark.parts]


async def test_joined_object_of_many_parts_has_their_order_and_its_own_headers(store: ObjectStore) -> None:
    parts = [await store.put(f"w/{number}", bytes([number]) * 3_000_000) for number in range(4)]
    joined = await store.join("w/joined", parts, CSV)
    assert joined.size_bytes == 12_000_000
    assert await store.read(joined) == b"".join(bytes([number]) * 3_000_000 for number in range(4))
    empty = await store.join("w/empty", [], CSV)
    assert await store.read(empty) == b""


async def test_damaged_or_missing_part_is_reported_and_leaves_no_object(store: ObjectStore) -> None:
    good = await store.put("w/good", b"1")
    bad = StoredObject("w/good", 1, hashlib.sha256(b"2").digest())
    with pytest.raises(ObjectDamaged):
        await store.join("w/joined", [good, bad], CSV)
    with pytest.raises(ObjectMissing, match="w/absent"):
        await store.join("w/joined", [good, StoredObject("w/absent", 1, bad.sha256)], CSV)
    assert [one.name async for page in store.pages("w") for one in page] == ["w/good"]
