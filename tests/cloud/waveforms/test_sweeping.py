"""Objects that no row names are removed a day later, and no others."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import delete

from cloud.clinical.waveforms import ORPHAN_US, WAVEFORMS, OrphanSweeper, sweeping, waveform_objects
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle
from tests.builders.waveforms import waves


@pytest.fixture
async def cloud(database: Database, tmp_path: Path) -> CloudUnderTest:
    return CloudUnderTest(database, objects=LocalObjects(tmp_path / "objects"))


async def names(cloud: CloudUnderTest) -> list[str]:
    assert cloud.objects is not None
    return [one.name async for page in cloud.objects.pages(WAVEFORMS) for one in page]


def sweeper(cloud: CloudUnderTest) -> OrphanSweeper:
    assert cloud.objects is not None
    return OrphanSweeper(cloud.database, cloud.objects, cloud.clock)


async def test_orphan_is_removed_when_it_is_older_than_a_day(cloud: CloudUnderTest) -> None:
    gateway = GatewayInVehicle()
    await cloud.register(gateway)
    await cloud.take(waves(gateway))
    (named,) = [row.name for row in await cloud.rows(waveform_objects)]
    assert cloud.objects is not None
    orphan = f"{WAVEFORMS}/{TENANT}/20270115/08/{cloud.ids.new('')}"
    await cloud.objects.put(orphan, b"of a killed process")
    assert await names(cloud) == sorted([named, orphan])
    cloud.clock.at_us = NOW_US + ORPHAN_US
    assert await sweeper(cloud).sweep() == 0
    cloud.clock.at_us += 1_000_000
    assert await sweeper(cloud).sweep() == 1
    assert await names(cloud) == [named]


async def test_object_with_a_name_of_another_form_is_left_alone(cloud: CloudUnderTest) -> None:
    assert cloud.objects is not None
    await cloud.objects.put(f"{WAVEFORMS}/by-hand", b"1")
    cloud.clock.at_us = NOW_US + 10 * ORPHAN_US
    assert await sweeper(cloud).sweep() == 0
    assert await names(cloud) == [f"{WAVEFORMS}/by-hand"]


async def test_sweep_ends_when_a_stop_is_requested_and_goes_on_while_the_store_is_away(
    cloud: CloudUnderTest, tmp_path: Path
) -> None:
    stopping = asyncio.Event()
    (tmp_path / "file").write_bytes(b"")
    away = OrphanSweeper(cloud.database, LocalObjects(tmp_path / "file" / "objects"), cloud.clock)
    running = asyncio.create_task(away.run(stopping))
    await asyncio.sleep(0)
    stopping.set()
    await running


async def test_many_objects_without_rows_are_kept_since_the_database_may_be_an_earlier_copy(
    cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "ORPHANS_MAX", 2)
    gateway = GatewayInVehicle()
    await cloud.register(gateway)
    for _ in range(3):
        await cloud.take(waves(gateway))
    async with cloud.database.transaction() as tx:
        await tx.execute(delete(waveform_objects))
    cloud.clock.at_us = NOW_US + 2 * ORPHAN_US
    assert await sweeper(cloud).sweep() == 0
    assert len(await names(cloud)) == 3
    monkeypatch.setattr(sweeping, "ORPHANS_MAX", 3)
    assert await sweeper(cloud).sweep() == 3
    assert await names(cloud) == []
