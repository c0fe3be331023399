"""`doctor` reports how far the packing of numerics is, and each step does a bounded amount of work."""

from pathlib import Path

import pytest

from cloud.foundation.db import Database
from cloud.foundation.findings import Level
from cloud.vehicles.packing import packing_findings
from cloud.vehicles.packing.packer import BatchPacker
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.minute_rows import AFTER_DAYS
from tests.builders.packed_world import PackedWorld
from tests.builders.statement_count import CountingDatabase

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def world(database: Database, gateway: GatewayInVehicle, tmp_path: Path) -> PackedWorld:
    return await PackedWorld(database, gateway, folder=tmp_path / "objects").begin_after_days()


async def reported(world: PackedWorld) -> tuple[Level, str]:
    (found,) = await packing_findings(world.database, world.cloud.clock, AFTER_DAYS, has_objects=True)
    return found.level, found.sentence


async def test_due_batches_are_reported_and_late_ones_are_a_warning(world: PackedWorld, gateway: GatewayInVehicle):
    assert await reported(world) == (Level.OK, "No batches of numerics are due to be packed.")
    await world.take_compacted(*gateway.many(3))
    level, sentence = await reported(world)
    assert level is Level.OK
    assert sentence.startswith("Batches of numerics in one lane are due to be packed, from 20")
    world.pass_days(4)
    level, sentence = await reported(world)
    assert level is Level.WARNING
    assert "worker role" in sentence
    assert await world.pack() == 3
    assert await reported(world) == (Level.OK, "No batches of numerics are due to be packed.")


@on_sqlite
async def test_finding_names_the_number_of_lanes(world: PackedWorld, gateway: GatewayInVehicle):
    other = GatewayInVehicle(gateway="gw_other", key_seed=2)
    other.now_us = gateway.now_us
    await world.cloud.register_gateway(other)
    await world.take_compacted(gateway.send(1.0), other.send(2.0))
    _, sentence = await reported(world)
    assert sentence.startswith("Batches of numerics in 2 lanes are due to be packed")


@on_sqlite
async def test_there_is_no_finding_where_nothing_is_ever_packed(world: PackedWorld):
    for after_days, has_objects in ((0, True), (AFTER_DAYS, False)):
        assert await packing_findings(world.database, world.cloud.clock, after_days, has_objects=has_objects) == []


@on_sqlite
async def test_number_of_statements_of_a_step_does_not_depend_on_the_batches_of_a_lane(
    world: PackedWorld, gateway: GatewayInVehicle
):
    counted = []
    for count in (2, 100):
        await world.take_compacted(*gateway.many(count))
        counting = CountingDatabase(world.database)
        packer = BatchPacker(counting, world.store, world.cloud.clock, world.cloud.ids, AFTER_DAYS, rest_s=0)
        assert await packer.walk() == count
        counted.append(counting.statements)
    assert counted[0] == counted[1] <= 25
