"""A verification reads the file that a record of an export names, and states why if it does not."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloud.clinical.epcr import evidence_id_of
from cloud.foundation.objects import Download, LocalObjects, ObjectStoreUnavailable, Result, Results, StoredObject
from cloud.foundation.viewer import Actor, SecrecyLevel
from cloud.work.evidence.job_files import JobEvidence
from cloud.work.evidence.model import EvidenceKind
from cloud.work.provenance import files
from tests.cloud.provenance.conftest import EvidenceDesk

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ACTOR = Actor("tnt_north", "org_north", SecrecyLevel.STANDARD, subject="usr_1", client_id="app_north")
EVIDENCE = evidence_id_of("tnt_north", EvidenceKind.EXPORT.value, "job_1")
CONTENT = b'{"resourceType":"Patient"}\n' * 20_000


@pytest.fixture
async def stored(desk: EvidenceDesk, tmp_path: Path) -> Path:
    """The file of an export whose job has ended, as it lies in the folder of the objects."""
    file = await LocalObjects(tmp_path / "objects").put("results/tnt_north/20260508/1", CONTENT)
    async with desk.database.transaction() as tx:
        download = Download("application/fhir+ndjson", "observations.ndjson")
        await Results().keep(tx, Result("job_1", "tnt_north", file, download), 1)
        await JobEvidence(desk.recorder).exported(tx, ACTOR, "job_1", file, {"format": "fhir"})
    return tmp_path / "objects" / file.name


async def result_of(desk: EvidenceDesk) -> dict[str, Any]:
    return await desk.verify(await desk.transcript(id=EVIDENCE), id=EVIDENCE)


@on_sqlite
@pytest.mark.contract("A-129", "C-230")
async def test_stored_file_is_read_and_its_hash_compared(desk: EvidenceDesk, stored: Path) -> None:
    result = await result_of(desk)
    assert (result["valid"], result["content"]) == (True, "checked")
    assert "content_reason" not in result


@on_sqlite
@pytest.mark.contract("A-129", "C-230")
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1] + b" ",
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: b"",
    ],
)
async def test_file_that_was_changed_in_the_store_is_named_with_its_record(
    desk: EvidenceDesk, stored: Path, change: Callable[[bytes], bytes]
) -> None:
    stored.write_bytes(change(CONTENT))
    result = await result_of(desk)
    (fault,) = result["broken_links"]
    assert (fault["index"], fault["reason"]) == (0, "content_hash_mismatch")
    assert (result["valid"], result["merkle_root_verified"], result["content"]) == (False, False, "checked")


@on_sqlite
@pytest.mark.contract("A-129")
async def test_file_that_is_no_longer_stored_is_reported_as_not_checked(desk: EvidenceDesk, stored: Path) -> None:
    stored.unlink()
    assert (await result_of(desk))["content_reason"] == "file_removed"
    async with desk.database.transaction() as tx:
        await Results().release(tx, ["job_1"], 2)
    result = await result_of(desk)
    assert (result["valid"], result["content"], result["content_reason"]) == (True, "not_checked", "file_removed")


@on_sqlite
@pytest.mark.contract("A-129")
async def test_file_over_the_limit_is_not_read_and_reported_as_not_checked(
    desk: EvidenceDesk, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILE_BYTES_MAX", len(CONTENT) - 1)
    result = await result_of(desk)
    assert (result["valid"], result["content"], result["content_reason"]) == (True, "not_checked", "file_too_large")


@on_sqlite
@pytest.mark.contract("A-129")
async def test_verification_ends_without_an_object_store_that_fails_or_does_not_respond(
    desk: EvidenceDesk, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: LocalObjects, name: str, bytes_max: int) -> StoredObject | None:
        raise ObjectStoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(LocalObjects, "digest", fail)
        assert (await result_of(desk))["content_reason"] == "file_unavailable"
    monkeypatch.setattr(files, "FILE_S_MAX", 0.0)
    result = await result_of(desk)
    assert (result["valid"], result["content"], result["content_reason"]) == (True, "not_checked", "file_unavailable")


class HeldObjects(LocalObjects):
    """A store whose objects named `held` are not read until `release` is set. `begun` has the objects that are read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.begun: list[str] = []
        self.release = asyncio.Event()

    async def digest(self, name: str, bytes_max: int) -> StoredObject | None:
        self.begun.append(name)
        if name.startswith("held"):
            await self.release.wait()
        return await super().digest(name, bytes_max)


async def test_tenant_whose_files_take_long_delays_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILES_AT_ONCE", 2)
    objects = HeldObjects(tmp_path)
    held = [await objects.put(f"held/{number}", b"1") for number in range(3)]
    quick = await objects.put("quick", b"2")
    reader = files.EvidenceFiles(objects)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(reader.read("tnt_slow", one)) for one in held]
        await asyncio.sleep(0)
        for _ in range(2):
            assert isinstance(await reader.read("tnt_north", quick), files.FileHash)
        assert objects.begun == ["held/0", "quick", "quick"]
        objects.release.set()
    assert {type(task.result()) for task in tasks} == {files.FileHash}
    assert sorted(objects.begun) == ["held/0", "held/1", "held/2", "quick", "quick"]


async def test_no_more_files_are_read_at_once_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILES_AT_ONCE", 2)
    objects = HeldObjects(tmp_path)
    held = await objects.put("held", b"1")
    reader = files.EvidenceFiles(objects)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(reader.read(f"tnt_{number}", held)) for number in range(3)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(objects.begun) == 2
        objects.release.set()
    assert {type(task.result()) for task in tasks} == {files.FileHash}
