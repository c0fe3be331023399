"""Both object stores behave alike: whole or absent after a put, checked when read, listed in order."""

import hashlib

import pytest

from cloud.foundation.objects import (
    LocalObjects,
    ObjectDamaged,
    ObjectMissing,
    ObjectStore,
    StoredObject,
    is_stored,
    local,
)

DATA = bytes(range(256)) * 8


async def names(store: ObjectStore, prefix: str, *, after: str = "") -> list[str]:
    return [one.name async for page in store.pages(prefix, after=after) for one in page]


async def test_object_is_read_as_it_was_put_and_checked(store: ObjectStore) -> None:
    stored = await store.put("w/tnt_1/20260101/a.awf", DATA)
    assert stored == StoredObject("w/tnt_1/20260101/a.awf", len(DATA), hashlib.sha256(DATA).digest())
    assert await store.read(stored) == DATA


async def test_empty_object_is_stored(store: ObjectStore) -> None:
    assert await store.read(await store.put("w/empty", b"")) == b""


async def test_range_is_read_without_the_rest(store: ObjectStore) -> None:
    await store.put("w/a", DATA)
    assert await store.read_range("w/a", 250, 10) == DATA[250:260]
    assert await store.read_range("w/a", len(DATA) - 4, 4) == DATA[-4:]


async def test_range_beyond_the_end_is_reported_as_damage(store: ObjectStore) -> None:
    await store.put("w/a", DATA)
    with pytest.raises(ObjectDamaged, match="before 2058"):
        await store.read_range("w/a", len(DATA) - 4, 14)
    with pytest.raises(ObjectDamaged, match="before 2049"):
        await store.read_range("w/a", len(DATA), 1)


async def test_object_that_is_missing_or_has_another_size_is_not_stored(store: ObjectStore) -> None:
    for data in (DATA, b""):
        stored = await store.put("w/a", data)
        assert await is_stored(store, stored)
        for other in (DATA[:-1], DATA + b"1"):
            await store.put("w/a", other)
            assert not await is_stored(store, stored)
        await store.remove("w/a")
        assert not await is_stored(store, stored)


async def test_digest_is_that_of_the_content_and_a_larger_object_is_not_read(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DATA * 700  # more than one piece
    if isinstance(store, LocalObjects):
        monkeypatch.setattr(local, "DIGEST_BYTES", len(data) // 3)
    stored = await store.put("w/a", data)
    await store.put("w/empty", b"")
    assert await store.digest("w/a", len(data)) == stored
    assert await store.digest("w/a", len(data) - 1) is None
    assert await store.digest("w/empty", 0) == StoredObject("w/empty", 0, hashlib.sha256().digest())


async def test_absent_object_is_reported_as_missing(store: ObjectStore) -> None:
    with pytest.raises(ObjectMissing, match="w/none"):
        await store.read(StoredObject("w/none", 1, b""))
    with pytest.raises(ObjectMissing, match="w/none"):
        await store.read_range("w/none", 0, 1)
    with pytest.raises(ObjectMissing, match="w/none"):
        await store.size("w/none")
    with pytest.raises(ObjectMissing, match="w/none"):
        await store.digest("w/none", 1)


@pytest.mark.parametrize(("size_bytes", "why"), [(len(DATA) + 1, "instead of"), (len(DATA), "SHA-256")])
async def test_object_with_another_size_or_content_is_not_returned(
    store: ObjectStore, size_bytes: int, why: str
) -> None:
    await store.put("w/a", DATA)
    with pytest.raises(ObjectDamaged, match=why):
        await store.read(StoredObject("w/a", size_bytes, hashlib.sha256(b"other").digest()))


async def test_removed_object_is_missing_and_may_be_removed_again(store: ObjectStore) -> None:
    stored = await store.put("w/a", DATA)
    await store.remove("w/a")
    await store.remove("w/a")
    with pytest.raises(ObjectMissing):
        await store.read(stored)


async def test_objects_are_listed_below_a_prefix_in_the_order_of_their_names(store: ObjectStore) -> None:
    for name in ("w/b/2", "w/b/1", "w/a-b", "w/a/3", "w/a.c", "x/1"):
        await store.put(name, b"1")
    assert await names(store, "w") == sorted(["w/b/2", "w/b/1", "w/a-b", "w/a/3", "w/a.c"])
    assert await names(store, "w", after="w/a/3") == ["w/b/1", "w/b/2"]
    assert await names(store, "none") == []


@pytest.mark.parametrize("name", ["", "../a", "a/../b", "/a", "a//b", ".a", "a/.b", "a/", "a\0", "a b", "é", "a" * 600])
async def test_name_that_could_leave_the_store_is_refused(store: ObjectStore, name: str) -> None:
    for call in (
        store.put(name, b""),
        store.read_range(name, 0, 1),
        store.size(name),
        store.digest(name, 1),
        store.remove(name),
    ):
        with pytest.raises(AssertionError):
            await call
