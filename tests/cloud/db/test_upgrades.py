"""A database of any earlier revision is migrated with its rows to the newest revision, and every query still works."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from cloud.access.retention import Retention
from cloud.clinical.assignments import Assignments
from cloud.clinical.devices import Devices, Enrolment
from cloud.clinical.observations.export import export_observations
from cloud.foundation.db import Database, migrate, open_database
from cloud.foundation.db.revisions import known_revisions
from cloud.foundation.db.sqlite import SqliteDatabase
from cloud.foundation.events import Outbox
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from cloud.vehicles.fleet import Fleet
from cloud.vehicles.verification.check import CustodyCheck
from tests.builders.cloud_people import NOON_US, HandClock
from tests.builders.parts import sweep_once
from tests.builders.received_batches import RECEIVED
from tests.cloud.db.test_migrations import run_sql

DATABASES = Path(__file__).parents[2] / "databases"
CLOCK = HandClock()
IDS = UlidIds(CLOCK)


def literal(value: Any, *, sqlite: bool) -> str:
    if isinstance(value, dict):
        return f"x'{value['hex']}'" if sqlite else f"'\\x{value['hex']}'"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return "'" + value.replace("'", "''") + "'"


def inserts(path: Path, *, sqlite: bool) -> list[str]:
    """Return INSERT statements for the rows in the JSON file `path`, which were written at an earlier revision."""
    statements = []
    for table, rows in json.loads(path.read_text()).items():
        for row in rows:
            columns = ", ".join(row)
            values = ", ".join(literal(value, sqlite=sqlite) for value in row.values())
            statements.append(" ".join(("INSERT INTO", table, f"({columns}) VALUES ({values})")))
    return statements


async def upgraded(url: str, revision: str) -> Database:
    """Create a database at `revision` with its stored rows, run each later migration in turn, and open the database."""
    await migrate(url, revision=revision, create=True)
    old = DATABASES / f"cloud_{revision}.json"
    # text() reads a colon as a parameter, and the rows' JSON contains colons.
    rows = [row.replace(":", "\\:") for row in inserts(old, sqlite=False)]
    if url.startswith("sqlite"):
        rows = inserts(old, sqlite=True)
    await run_sql(url, *rows)
    for later in known_revisions()[known_revisions().index(revision) + 1 :]:
        assert (await migrate(url, revision=later)).after == later
    return await open_database(url)


async def test_rows_of_the_first_revision_are_kept_by_every_migration(empty_database_url: str) -> None:
    database = await upgraded(empty_database_url, "0001")
    operator = Actor.operator("tnt_old")
    (gateway,) = await Fleet(database, CLOCK, IDS).list(operator)
    assert (gateway.public_key, gateway.status and gateway.status.epoch) == (b"\x07" * 32, "epoch-old")
    assert [device.id for device in await Enrolment(database, CLOCK, IDS).list(operator)] == ["dev_old"]
    async with database.transaction() as tx:
        devices = Devices(IDS)
        assert (await Assignments(devices).timeline(tx, operator, "dev_old")).encounter_at(NOON_US) == "enc_old"
        (claimed,) = await Outbox(IDS).claim(tx, now_us=NOON_US, lease_us=1, count=9)
        assert claimed.event.payload == {"device_id": "dev_old"}
    await database.close()


async def test_observations_and_custody_records_of_the_second_revision_are_kept_by_every_migration(
    empty_database_url: str,
) -> None:
    database = await upgraded(empty_database_url, "0002")
    operator = Actor.operator("ten_test")
    reports = [report async for report in CustodyCheck(database, operator, with_rows=True).reports()]
    assert {(report.epoch, report.lane): (report.through, report.findings) for report in reports} == {
        ("epoch-a", "numeric"): (8, []),
        ("epoch-a", "event"): (1, []),
        ("epoch-a", "epcr"): (1, []),
        ("epoch-b", "numeric"): (1, []),
    }
    aside = {count.reason: count.kept for count in await CustodyCheck(database, operator).quarantine()}
    assert aside == {"conflict": 1, "forged": 1, "unreadable": 1}
    written = json.loads((DATABASES / "cloud_0002.json").read_text())["observations"]
    records = [record async for record in export_observations(database, operator, Devices(IDS), RECEIVED, hidden=True)]
    assert len(records) == len(written) == sum(report.observations or 0 for report in reports)
    await database.close()


async def test_upgrade_sets_no_retention_period_for_data_that_were_never_deleted_before(
    empty_database_url: str,
) -> None:
    database = await upgraded(empty_database_url, "0002")
    clock = HandClock()
    clock.advance(us=20_000 * 86_400_000_000)
    for kind in ("numerics", "waveforms", "batches", "vehicle_events"):
        assert await sweep_once(database, clock, kind) == 0, kind
    kept = {
        one.kind for one in await Retention(database, CLOCK, IDS).periods(Actor.operator("ten_test")) if not one.days
    }
    assert kept == {"numerics", "waveforms", "batches", "vehicle_events", "content_keys", "device_history"}
    await database.close()


@pytest.mark.parametrize("revision", ["0001", "0002"])
async def test_upgraded_sqlite_file_passes_the_foreign_key_and_integrity_checks(tmp_path: Path, revision: str) -> None:
    database = await upgraded(f"sqlite:///{tmp_path / 'cloud.db'}", revision)
    assert isinstance(database, SqliteDatabase)
    async with database.read() as tx:
        assert len(await tx.execute(text("PRAGMA foreign_key_check"))) == 0
        assert (await tx.execute(text("PRAGMA integrity_check"))).scalar() == "ok"
    await database.close()
