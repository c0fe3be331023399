"""A folder of objects: private, whole after a power cut, and without leftovers of killed processes."""

import asyncio
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database
from cloud.foundation.findings import Level
from cloud.foundation.ids import UlidIds
from cloud.foundation.objects import (
    Download,
    LocalObjects,
    ObjectStoreUnavailable,
    ResultSweeper,
    StoredObject,
    examine_store,
    local,
)
from cloud.foundation.objects.sweeping import UNFINISHED_US
from tests.builders.ingest_cloud import StoppedClock


async def test_files_and_folders_are_readable_by_our_account_alone(tmp_path: Path) -> None:
    await LocalObjects(tmp_path / "objects").put("w/a", b"1")
    root = tmp_path / "objects"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (root, root / "w", root / ".unfinished")} == {0o700}
    assert stat.S_IMODE((root / "w" / "a").stat().st_mode) == 0o600


async def test_content_is_flushed_before_the_rename_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalObjects(tmp_path)
    await store.put("w/earlier", b"1")
    done: list[str] = []
    flush, rename = os.fsync, Path.rename

    def watched_flush(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        flush(descriptor)

    def watched_rename(self: Path, target: Path) -> Any:
        done.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", watched_flush)
    monkeypatch.setattr(Path, "rename", watched_rename)
    await store.put("w/later", b"2")
    assert done == ["file", "rename", "folder"]


async def test_failed_put_leaves_no_file(tmp_path: Path) -> None:
    store = LocalObjects(tmp_path)
    await store.put("w", b"1")
    with pytest.raises(ObjectStoreUnavailable):
        await store.put("w/a", b"2")  # a part of the name is a file
    (tmp_path / "folder").mkdir()
    with pytest.raises(ObjectStoreUnavailable, match="directory"):
        await store.put("folder", b"2")
    assert os.listdir(tmp_path / ".unfinished") == []


async def test_folders_are_removed_with_their_last_object(tmp_path: Path) -> None:
    store = LocalObjects(tmp_path / "objects")
    for name in ("results/tnt/20260301/a", "results/tnt/20260301/b", "results/tnt/20260302/c"):
        await store.put(name, b"1")
    await store.remove("results/tnt/20260301/a")
    assert (tmp_path / "objects" / "results" / "tnt" / "20260301").exists()
    await store.remove("results/tnt/20260301/b")
    assert os.listdir(tmp_path / "objects" / "results" / "tnt") == ["20260302"]
    await store.remove("results/tnt/20260302/c")
    await store.remove("results/tnt/20260302/c")
    assert os.listdir(tmp_path / "objects") == [".unfinished"]


async def test_empty_folder_that_a_killed_process_left_is_removed_by_a_listing(tmp_path: Path) -> None:
    store = LocalObjects(tmp_path)
    (tmp_path / "results" / "tnt" / "20260301").mkdir(parents=True)
    await store.put("results/tnt/20260302/c", b"1")
    assert [one.name async for page in store.pages("results") for one in page] == ["results/tnt/20260302/c"]
    assert os.listdir(tmp_path / "results" / "tnt") == ["20260302"]


async def test_object_is_stored_although_its_empty_folder_is_removed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalObjects(tmp_path)
    rename, lost = Path.rename, [1, 2]

    def rename_later(self: Path, target: Path) -> Any:
        if lost:
            lost.pop()
            Path(target).parent.rmdir()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_later)
    stored = await store.put("results/tnt/a", b"1")
    assert await store.read(stored) == b"1"


async def test_leftover_of_a_killed_process_is_not_listed_and_is_removed_a_day_after_its_last_write(
    database: Database, tmp_path: Path
) -> None:
    clock = StoppedClock()
    store = LocalObjects(tmp_path)
    sweeper = ResultSweeper(database, store, clock)
    assert await sweeper.remove_orphans() == 0  # there is no folder yet
    await store.put("w/a", b"1")
    old, young = tmp_path / ".unfinished" / "old", tmp_path / ".unfinished" / "young"
    for path, at_us in ((old, clock.at_us), (young, clock.at_us + 3_600_000_000)):
        path.write_bytes(b"half")
        os.utime(path, ns=(at_us * 1_000,) * 2)
    clock.at_us += UNFINISHED_US
    assert await sweeper.remove_orphans() == 0
    clock.at_us += 1
    assert await sweeper.remove_orphans() == 1
    assert [one.name async for page in store.pages("w") for one in page] == ["w/a"]
    assert (old.exists(), young.exists()) == (False, True)


async def test_join_whose_temporary_file_was_removed_fails_and_leaves_no_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalObjects(tmp_path)
    parts = [await store.put(f"w/{number}", b"1") for number in range(2)]
    copy = local._copy

    def removing(part: StoredObject, path: Path, temporary: Path, joined: Any) -> None:
        if part is parts[1]:
            temporary.unlink()
        copy(part, path, temporary, joined)

    monkeypatch.setattr(local, "_copy", removing)
    with pytest.raises(ObjectStoreUnavailable):
        await store.join("w/joined", parts, Download("text/csv", "observations.csv"))
    assert [one.name async for page in store.pages("w") for one in page] == ["w/0", "w/1"]


@pytest.mark.parametrize("moment", ["before the rename", "after the rename"])
async def test_join_that_is_cancelled_at_its_end_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    store = LocalObjects(tmp_path)
    part = await store.put("w/part", b"1")
    reached, cancelled, ended = threading.Event(), threading.Event(), threading.Event()
    finish = LocalObjects._finish

    def finish_late(self: LocalObjects, temporary: Path, path: Path) -> None:
        try:
            if moment == "after the rename":
                finish(self, temporary, path)
            reached.set()
            assert cancelled.wait(60)
            if moment == "before the rename":
                finish(self, temporary, path)
        finally:
            ended.set()

    monkeypatch.setattr(LocalObjects, "_finish", finish_late)
    joining = asyncio.ensure_future(store.join("w/joined", [part], Download("text/csv", "observations.csv")))
    assert await asyncio.to_thread(reached.wait, 60)
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    cancelled.set()
    assert await asyncio.to_thread(ended.wait, 60)
    assert [one.name async for page in store.pages("w") for one in page] == ["w/part"]
    assert os.listdir(tmp_path / ".unfinished") == []


async def test_absent_disk_is_not_taken_for_an_empty_store(tmp_path: Path) -> None:
    with pytest.raises(ObjectStoreUnavailable, match="No such file"):
        await LocalObjects(tmp_path / "not-mounted" / "objects").put("w/a", b"1")


async def test_listing_does_not_read_folders_before_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalObjects(tmp_path)
    for day in ("20260101", "20260102", "20260103"):
        await store.put(f"w/{day}/a", b"1")
    scanned: list[str] = []
    scan = os.scandir

    def watched_scan(folder: Path) -> Any:
        scanned.append(Path(folder).name)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", watched_scan)
    found = [one.name async for page in store.pages("w", after="w/20260102/a") for one in page]
    assert found == ["w/20260103/a"]
    assert scanned == ["w", "20260102", "20260103"]


async def test_doctor_reports_a_store_that_cannot_be_used_and_leaves_no_object(tmp_path: Path) -> None:
    ids = UlidIds(SystemClock())
    usable = await examine_store(LocalObjects(tmp_path), ids)
    assert usable.level is Level.OK
    assert os.listdir(tmp_path) == [".unfinished"]
    broken = await examine_store(LocalObjects(tmp_path / "none" / "objects"), ids)
    assert (broken.level, "No such file" in broken.sentence) == (Level.FAULT, True)
    assert (await examine_store(None, ids)).level is Level.WARNING
