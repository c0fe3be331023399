"""A database of any earlier revision is migrated with its rows to the newest revision, and every query still works."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from cloud.access.retention import Retention
from cloud.clinical.assignments import Assignments
from cloud.clinical.devices import Devices, Enrolment
from cloud.clinical.observations.export import export_observations
from cloud.foundation.db import Database, migrate, open_database
from cloud.foundation.db.address import PostgresqlAddress, read_address
from cloud.foundation.db.revisions import known_revisions
from cloud.foundation.db.sqlite import SqliteDatabase
from cloud.foundation.events import Outbox
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from cloud.vehicles.fleet import Fleet
from cloud.vehicles.verification.check import CustodyCheck
from tests.builders.cloud_people import NOON_US, HandClock
from tests.builders.ingest_cloud import StoppedClock
from tests.builders.parts import sweep_once
from tests.builders.received_batches import RECEIVED
from tests.cloud.db.test_migrations import run_sql
from tests.harness.postgresql import PostgresqlCluster

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


async def upgrade(url: str, revision: str) -> None:
    """Create a database at `revision` with its stored rows, and run each later migration in turn."""
    await migrate(url, revision=revision, create=True)
    old = DATABASES / f"cloud_{revision}.json"
    # text() reads a colon as a parameter, and the rows' JSON contains colons.
    rows = [row.replace(":", "\\:") for row in inserts(old, sqlite=False)]
    if url.startswith("sqlite"):
        rows = inserts(old, sqlite=True)
    await run_sql(url, *rows)
    for later in known_revisions()[known_revisions().index(revision) + 1 :]:
        assert (await migrate(url, revision=later)).after == later


class UpgradedFiles:
    """SQLite databases of earlier revisions. Each is upgraded once, since all migrations take a second, and copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    async def open(self, revision: str) -> Database:
        template = self._folder / f"{revision}.db"
        if not template.exists():
            await upgrade(f"sqlite:///{template}", revision)
        return await open_database(
            f"sqlite:///{shutil.copy(template, self._folder / f'copy-{next(self._numbers)}.db')}"
        )


class UpgradedPostgresql:
    """PostgreSQL databases of earlier revisions, upgraded and copied likewise. `stack` drops them at its end."""

    def __init__(self, cluster: PostgresqlCluster, stack: ExitStack) -> None:
        self._cluster = cluster
        self._stack = stack
        self._templates: dict[str, str] = {}

    async def open(self, revision: str) -> Database:
        if revision not in self._templates:
            url = self._stack.enter_context(self._cluster.database(template="template0"))
            await upgrade(url, revision)
            self._templates[revision] = database_name(url)
        copied = self._cluster.database(template=self._templates[revision])
        return await open_database(self._stack.enter_context(copied))


def database_name(url: str) -> str:
    address = read_address(url)
    assert isinstance(address, PostgresqlAddress)
    assert address.url.database is not None
    return address.url.database


@pytest.fixture(scope="module")
def upgraded_files(tmp_path_factory: pytest.TempPathFactory) -> UpgradedFiles:
    return UpgradedFiles(tmp_path_factory.mktemp("upgraded"))


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def upgraded(request: pytest.FixtureRequest) -> Iterator[UpgradedFiles | UpgradedPostgresql]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield request.getfixturevalue("upgraded_files")
        else:
            yield UpgradedPostgresql(request.getfixturevalue("postgresql"), stack)


async def test_rows_of_the_first_revision_are_kept_by_every_migration(
    upgraded: UpgradedFiles | UpgradedPostgresql,
) -> None:
    database = await upgraded.open("0001")
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
    upgraded: UpgradedFiles | UpgradedPostgresql,
) -> None:
    database = await upgraded.open("0002")
    operator = Actor.operator("ten_test")
    reports = [report async for report in CustodyCheck(database, StoppedClock(), operator, with_rows=True).reports()]
    assert {(report.epoch, report.lane): (report.through, report.findings) for report in reports} == {
        ("epoch-a", "numeric"): (8, []),
        ("epoch-a", "event"): (1, []),
        ("epoch-a", "epcr"): (1, []),
        ("epoch-b", "numeric"): (1, []),
    }
    aside = {count.reason: count.kept for count in await CustodyCheck(database, StoppedClock(), operator).quarantine()}
    assert aside == {"conflict": 1, "forged": 1, "unreadable": 1}
    written = json.loads((DATABASES / "cloud_0002.json").read_text())["observations"]
    records = [record async for record in export_observations(database, operator, Devices(IDS), RECEIVED, hidden=True)]
    assert len(records) == len(written) == sum(report.observations or 0 for report in reports)
    await database.close()


async def test_upgrade_sets_no_retention_period_for_data_that_were_never_deleted_before(
    upgraded: UpgradedFiles | UpgradedPostgresql,
) -> None:
    database = await upgraded.open("0002")
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
async def test_upgraded_sqlite_file_passes_the_foreign_key_and_integrity_checks(
    upgraded_files: UpgradedFiles, revision: str
) -> None:
    database = await upgraded_files.open(revision)
    assert isinstance(database, SqliteDatabase)
    async with database.read() as tx:
        assert len(await tx.execute(text("PRAGMA foreign_key_check"))) == 0
        assert (await tx.execute(text("PRAGMA integrity_check"))).scalar() == "ok"
    await database.close()
