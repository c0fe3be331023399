"""A database of any earlier revision, with rows in it, comes to the newest one and still answers every question."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import text

from cloud.assignments import Assignments
from cloud.db import migrate, open_database
from cloud.db.revisions import known_revisions
from cloud.db.sqlite import SqliteDatabase
from cloud.devices import Devices, Enrolment
from cloud.events import Outbox
from cloud.fleet import Fleet
from cloud.ids import UlidIds
from cloud.tenancy import Viewer
from tests.builders.cloud_people import NOON_US, HandClock
from tests.cloud.db.test_migrations import run_sql

OLD = Path(__file__).parents[2] / "databases" / "cloud_0001.json"
CLOCK = HandClock()
IDS = UlidIds(CLOCK)


def literal(value: Any, *, sqlite: bool) -> str:
    if isinstance(value, dict):
        return f"x'{value['hex']}'" if sqlite else f"'\\x{value['hex']}'"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else f"'{value}'"


def inserts(path: Path, *, sqlite: bool) -> list[str]:
    """The rows of an old database as statements."""
    statements = []
    for table, rows in json.loads(path.read_text()).items():
        for row in rows:
            columns = ", ".join(row)
            values = ", ".join(literal(value, sqlite=sqlite) for value in row.values())
            statements.append(" ".join(("INSERT INTO", table, f"({columns}) VALUES ({values})")))
    return statements


async def test_rows_of_the_first_revision_live_through_every_migration(empty_database_url: str) -> None:
    first, *later = known_revisions()
    await migrate(empty_database_url, revision=first)
    # text() reads a colon as a parameter; the rows have some in their JSON.
    rows = [row.replace(":", "\\:") for row in inserts(OLD, sqlite=False)]
    if empty_database_url.startswith("sqlite"):
        rows = inserts(OLD, sqlite=True)
    await run_sql(empty_database_url, *rows)
    for revision in later:
        assert (await migrate(empty_database_url, revision=revision)).after == revision
    database = await open_database(empty_database_url)
    operator = Viewer.operator("tnt_old")
    (gateway,) = await Fleet(database, CLOCK, IDS).list(operator)
    assert (gateway.public_key, gateway.status and gateway.status.epoch) == (b"\x07" * 32, "epoch-old")
    assert [device.id for device in await Enrolment(database, CLOCK, IDS).list(operator)] == ["dev_old"]
    async with database.transaction() as tx:
        devices = Devices(IDS)
        assert await Assignments(devices).encounter_of(tx, operator, "dev_old", NOON_US) == "enc_old"
        (claimed,) = await Outbox(IDS).claim(tx, now_us=NOON_US, lease_us=1, count=9)
        assert claimed.event.payload == {"device_id": "dev_old"}
    await database.close()


async def test_an_upgraded_sqlite_file_has_no_dangling_reference(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cloud.db'}"
    await migrate(url, revision=known_revisions()[0])
    await run_sql(url, *inserts(OLD, sqlite=True))
    await migrate(url)
    database = await open_database(url)
    assert isinstance(database, SqliteDatabase)
    async with database.read() as tx:
        assert len(await tx.execute(text("PRAGMA foreign_key_check"))) == 0
        assert (await tx.execute(text("PRAGMA integrity_check"))).scalar() == "ok"
    await database.close()
