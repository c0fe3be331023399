"""A report of a known device changes as few columns as it can, and a report from another vehicle moves the device."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from cloud.access.tenancy import Tenancy
from cloud.clinical.devices import Devices, Enrolment
from cloud.foundation.db import Database, open_database
from cloud.foundation.ids import UlidIds
from cloud.vehicles.fleet import Fleet
from protocols.uplink.observations import DeviceRef
from tests.builders.cloud_people import MINUTE_US, NOON_US, HandClock, attach_device, household, public_key_text
from tests.builders.statement_count import CountingDatabase

OXIMETER = DeviceRef(system_id="1122334455667788", model="Pulse 1")
UNNAMED = replace(OXIMETER, model="")
CLOCK = HandClock()
IDS = UlidIds(CLOCK)
DEVICES = Devices(IDS)


@pytest.fixture
async def sqlite(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """Yield a SQLite database, which writes the index entries of each column that an UPDATE names."""
    path = shutil.copy(migrated_sqlite, tmp_path / "cloud.db")
    opened = await open_database(f"sqlite:///{path}")
    yield opened
    await opened.close()


async def test_device_report_from_the_same_vehicle_names_no_indexed_column(sqlite: Database) -> None:
    home = await household(sqlite, CLOCK)
    async with sqlite.transaction() as tx:
        await attach_device(tx, DEVICES, home.gateway, OXIMETER, NOON_US)
        refused = "SELECT RAISE(ABORT, 'an indexed column is named')"
        await tx.execute(
            text(f"CREATE TRIGGER named BEFORE UPDATE OF vehicle_id, gateway_id, model ON devices BEGIN {refused}; END")
        )
    async with sqlite.transaction() as tx:
        await attach_device(tx, DEVICES, home.gateway, OXIMETER, NOON_US + MINUTE_US)
    (seen,) = await Enrolment(sqlite, CLOCK, IDS).list(home.operator, hidden=True)
    assert seen.last_seen_us == NOON_US + MINUTE_US


async def test_device_report_from_the_same_vehicle_needs_two_statements(database: Database) -> None:
    home = await household(database, CLOCK)
    counting = CountingDatabase(database)
    async with counting.transaction() as tx:
        await attach_device(tx, DEVICES, home.gateway, OXIMETER, NOON_US)
    before = counting.statements
    async with counting.transaction() as tx:
        await attach_device(tx, DEVICES, home.gateway, OXIMETER, NOON_US + MINUTE_US)
    assert counting.statements - before == 2  # find the device, and set its time


async def test_device_report_from_another_vehicle_moves_only_the_reported_device(database: Database) -> None:
    home = await household(database, CLOCK)
    other = await Tenancy(database, CLOCK, IDS).add_vehicle(home.operator, home.organization.id, "Ambulance 2")
    gateway = await Fleet(database, CLOCK, IDS).register(
        home.operator, organization_id=home.organization.id, vehicle_id=other.id, public_key=public_key_text(8)
    )
    second = DeviceRef(system_id="8877665544332211", model="Pulse 2")
    async with database.transaction() as tx:
        for ref in (OXIMETER, second):
            await attach_device(tx, DEVICES, home.gateway, ref, NOON_US)
        await attach_device(tx, DEVICES, gateway, OXIMETER, NOON_US + MINUTE_US)
        await attach_device(tx, DEVICES, home.gateway, second, NOON_US + MINUTE_US)
    seen = {one.system_id: one for one in await Enrolment(database, CLOCK, IDS).list(home.operator, hidden=True)}
    assert seen[OXIMETER.system_id].vehicle_id == other.id
    assert seen[OXIMETER.system_id].gateway_id == gateway.id
    assert seen[second.system_id].vehicle_id == home.vehicle.id
    assert {one.last_seen_us for one in seen.values()} == {NOON_US + MINUTE_US}


async def test_model_that_was_unknown_is_stored_and_a_known_one_stays(database: Database) -> None:
    home = await household(database, CLOCK)
    models = []
    for minutes, ref in enumerate((UNNAMED, OXIMETER, UNNAMED, replace(OXIMETER, model="Pulse 9"))):
        async with database.transaction() as tx:
            await attach_device(tx, DEVICES, home.gateway, ref, NOON_US + minutes * MINUTE_US)
        (seen,) = await Enrolment(database, CLOCK, IDS).list(home.operator, hidden=True)
        models.append((seen.model, seen.last_seen_us))
    assert models == [
        (model, NOON_US + minutes * MINUTE_US) for minutes, model in enumerate(("", "Pulse 1", "Pulse 1", "Pulse 1"))
    ]
