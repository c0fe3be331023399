"""The custody check reports an intact lane as intact while its batches arrive, are removed, or move between rows and
packed objects."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cloud.foundation.db import Database, Transaction
from cloud.vehicles.packing import packer as packing
from cloud.vehicles.verification import check as checking
from cloud.vehicles.verification.check import CustodyCheck
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.packed_world import PackedWorld
from tests.builders.retention_world import RetentionWorld

BATCHES = 12


class InterruptedDatabase:
    """A database that calls `act` after read transaction number `at`, counted from 1."""

    def __init__(self, database: Database, at: int, act: Callable[[], Awaitable[object]]) -> None:
        self._database = database
        self._at = at
        self._act = act
        self.reads = 0

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        async with self._database.read() as tx:
            yield tx
        self.reads += 1
        if self.reads == self._at:
            await self._act()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


async def check_interrupted(world: PackedWorld, at: int, act: Callable[[], Awaitable[object]]) -> int:
    """Check the lane with an interruption after read number `at`, and return the number of reads."""
    database = InterruptedDatabase(world.database, at, act)
    check = CustodyCheck(database, world.cloud.clock, OPERATOR, objects=world.store, with_rows=True)
    (report,) = [one async for one in check.reports()]
    assert (at, report.findings, report.batches, report.through) == (at, [], BATCHES, BATCHES)
    assert report.observations == BATCHES
    return database.reads


@pytest.mark.parametrize("run_batches", [4, 256])
async def test_lane_whose_batches_are_packed_or_unpacked_after_any_read_is_intact(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_batches: int
):
    gateway = GatewayInVehicle()
    world = await PackedWorld(database, gateway, folder=tmp_path / "objects").begin_after_days()
    monkeypatch.setattr(checking, "PAGE_ROWS", 3)
    monkeypatch.setattr(checking, "PAGE_RUNS", 2)
    monkeypatch.setattr(packing, "RUN_BATCHES_MAX", run_batches)
    await world.take_compacted(*gateway.many(BATCHES))

    async def unpack() -> None:
        (name,) = {one for one in await world.object_names() if one not in former}
        former.add(name)
        assert await world.place.unpacker.unpack(name) == BATCHES

    former: set[str] = set()
    at = reads = 1
    while at <= reads:
        reads = await check_interrupted(world, at, world.pack)
        packed_reads = await check_interrupted(world, at, unpack)
        if at > packed_reads:
            await unpack()
        at += 1
    assert at > 5, "several segments"


@pytest.mark.parametrize("replaced", [slice(6, 9), slice(4, 9)], ids=["hole", "hole and batches before it"])
async def test_lane_in_which_a_gap_record_arrives_after_any_read_is_intact(
    database: Database, monkeypatch: pytest.MonkeyPatch, replaced: slice
):
    """The batches 7 to 9 were dropped in the vehicle; the cloud may have two of those that the gap record names."""
    monkeypatch.setattr(checking, "PAGE_ROWS", 3)
    gateways = [GatewayInVehicle(gateway=f"gw_{number}") for number in range(8)]
    cloud = await CloudUnderTest(database).register(*gateways)
    covered: list[int] = []
    for at, gateway in enumerate(gateways, start=2):
        sent = gateway.many(BATCHES)
        await cloud.take(*sent[:6], *sent[9:])
        interrupted = InterruptedDatabase(database, at, partial(cloud.take, gateway.gap(sent[replaced])))
        check = CustodyCheck(interrupted, cloud.clock, OPERATOR)
        (report,) = [one async for one in check.reports(gateway.gateway)]
        assert (at, report.findings, report.batches, report.through) == (at, [], BATCHES - 3, BATCHES)
        assert report.stood_in + report.awaited_batches == 3
        covered.append(report.stood_in)
    assert covered == [3, 3, 3, 0, 0, 0, 0, 0], "the segments end at 3, 6 and 12"


async def test_lane_whose_batches_are_removed_after_any_read_is_intact(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(checking, "PAGE_ROWS", 3)
    gateways = [GatewayInVehicle(gateway=f"gw_{number}") for number in range(6)]
    world = await RetentionWorld(database, *gateways).begin()
    for at, gateway in enumerate(gateways, start=2):
        await world.cloud.take(*gateway.many(BATCHES))
        world.pass_days(91)
        interrupted = InterruptedDatabase(database, at, partial(world.sweep, "batches"))
        check = CustodyCheck(interrupted, world.cloud.clock, OPERATOR)
        (report,) = [one async for one in check.reports(gateway.gateway)]
        assert (at, report.findings, report.through) == (at, [], BATCHES)
        assert report.batches + report.removed == BATCHES
