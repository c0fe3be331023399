"""A damaged staged object holds up the erasures of all tenants. `doctor` names it, and it can be moved to a file."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud.cli import app
from cloud.foundation.db import Database
from cloud.foundation.findings import Level
from cloud.foundation.ids import UlidIds
from cloud.foundation.objects import LocalObjects, ObjectMissing
from cloud.vehicles.ingest import staged_elsewhere
from cloud.vehicles.ingest.staged_object import STAGED, StagedObject, encode_staged, new_staged_name
from cloud.vehicles.ingest.staged_sweeping import LATE_US, CopyUnusable, StagedObjectInUse, move_staged, staged_of
from cloud.vehicles.ingest.staging_findings import staged_findings
from tests.builders.cloud_people import HandClock
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.staging import staged_names
from tests.harness.cloud_command import logging_as_before

TENANT = "tnt_any"
LATER_US = LATE_US + 1_000_000


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def name(store: LocalObjects, clock: HandClock) -> str:
    """The name of a damaged object that was staged now."""
    made = new_staged_name(UlidIds(clock))
    await store.put(made, b"damaged")
    return made


async def test_damaged_staged_object_is_named_by_doctor(store: LocalObjects, clock: HandClock, name: str) -> None:
    clock.advance(us=LATER_US)
    assert await staged_of(store, TENANT, clock.now_us()) == name
    (finding,) = await staged_findings(store, clock)
    assert (finding.level, name in finding.sentence) == (Level.WARNING, True)
    await store.put(new_staged_name(UlidIds(HandClock())), encode_staged(StagedObject(1, ())))
    damaged, late = await staged_findings(store, clock)
    assert (damaged, late.level, name in late.sentence) == (finding, Level.WARNING, False)


async def test_moved_staged_object_holds_up_no_erasure(
    store: LocalObjects, clock: HandClock, name: str, tmp_path: Path
) -> None:
    clock.advance(us=LATER_US)
    copy = tmp_path / "copy"
    assert await move_staged(store, name, copy, clock.now_us()) == len(b"damaged")
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (b"damaged", 0o600)
    assert await staged_of(store, TENANT, clock.now_us()) is None
    with pytest.raises(ObjectMissing):
        await move_staged(store, name, tmp_path / "again", clock.now_us())


async def test_staged_object_is_not_moved_while_its_rows_may_be_written(
    store: LocalObjects, clock: HandClock, name: str, tmp_path: Path
) -> None:
    with pytest.raises(StagedObjectInUse):
        await move_staged(store, name, tmp_path / "copy", clock.now_us())
    assert not (tmp_path / "copy").exists()


async def test_staged_object_stays_without_a_new_file_for_it(
    store: LocalObjects, clock: HandClock, name: str, tmp_path: Path
) -> None:
    clock.advance(us=LATER_US)
    (tmp_path / "copy").write_bytes(b"another")
    with pytest.raises(CopyUnusable):
        await move_staged(store, name, tmp_path / "copy", clock.now_us())
    assert [one.name async for page in store.pages(STAGED) for one in page] == [name]
    assert (tmp_path / "copy").read_bytes() == b"another"


async def test_command_prints_its_result_and_fails_if_acknowledged_batches_cannot_be_written(
    database: Database, database_url: str, store: LocalObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged_elsewhere, "ANSWER_S", 0.0)
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database, objects=store, staged=True).register(gateway)
    await cloud.arrive(gateway.send(97.0))
    await cloud.arrive(gateway.send(98.0))
    (name,) = await staged_names(store)
    await store.remove(name)
    await store.put(name, b"damaged")
    config = tmp_path / "cloud.toml"
    config.write_text(f'database_url = "{database_url}"\nobjects_dir = "objects"\n')
    with logging_as_before():
        words = ["--config", str(config), "ingest", "lanes", "--json"]
        result = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert result.exit_code == 1
    assert "The result lacks acknowledged batches, since their rows cannot be written" in result.stderr
    assert name in result.stderr
    assert '"ten_test"' in result.stdout
