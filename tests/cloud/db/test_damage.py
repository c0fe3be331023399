"""A damaged SQLite file of the cloud is reported with the damaged table or index, and is never replaced."""

import asyncio
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs
from typer.testing import CliRunner

from cloud.cli import app
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database, metadata, migrate, open_database
from cloud.foundation.db.sqlite_connection import PAGE_BYTES
from cloud.foundation.errors import DomainError
from cloud.foundation.health.routes import HealthHandlers
from cloud.foundation.integrity import IntegrityWatch
from cloud.slices import load_tables
from tests.builders.cloud_filled import fill, parts_of
from tests.builders.cloud_settings import settings_file

PLACES = 400 if os.environ.get("ARGUS_SOAK") else 10
SEED = 20260324
load_tables()
EXAMINATIONS = len(metadata.tables) + 3
"""The tables of the slices, the two of the migrations, and the file."""


@pytest.fixture(scope="module")
def filled(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a filled database, of which each test damages a copy."""
    path = tmp_path_factory.mktemp("filled") / "cloud.db"
    shutil.copy(migrated_sqlite, path)
    fill(path)
    return path


@pytest.fixture
def damaged(filled: Path, tmp_path: Path) -> Path:
    """Return the path of a copy of the filled database, for the test to damage."""
    return shutil.copy(filled, tmp_path / "cloud.db")


def places(path: Path) -> Iterator[tuple[str, int]]:
    """Yield pages to damage, chosen by a seed, each with the name of the table, index or other part that it belongs to.

    Pages of the parts that are read at every start are always included.
    """
    chance = random.Random(SEED)
    parts = parts_of(path)
    first = ["schema", "free pages", "alembic_version"]
    names = [*first, *chance.sample(sorted(set(parts) - set(first)), len(parts) - len(first))]
    for number in range(PLACES):
        name = names[number % len(names)]
        yield name, chance.choice(parts[name])


def entry_of(path: Path, index: str, query: str) -> tuple[int, int]:
    """Return the page of an index that contains the text selected by `query`, and the text's offset in the page."""
    connection = sqlite3.connect(path)
    (wanted,) = connection.execute(query).fetchone()
    connection.close()
    content = path.read_bytes()
    for page in parts_of(path)[index]:
        at = content[(page - 1) * PAGE_BYTES : page * PAGE_BYTES].find(wanted[:12].encode())
        if at >= 0:
            return page, at
    raise AssertionError(f"{wanted} is not in {index}")


def flip(path: Path, page: int, at: int = 0, count: int = 12) -> None:
    """Invert `count` bytes at the offset `at` of a page."""
    with path.open("r+b") as file:
        begin = (page - 1) * PAGE_BYTES + at + (100 if page == 1 else 0)  # after the file's own header
        file.seek(begin)
        content = file.read(count)
        file.seek(begin)
        file.write(bytes(byte ^ 0xFF for byte in content))


async def reports(path: Path) -> tuple[str, list[Any]]:
    """Open the database and examine each of its tables and the file, as the watch does without a reason; return what
    is reported, and the log lines.

    If the database cannot be opened, the error is reported. Otherwise the readiness response is reported if its status
    is not 200, and "" if it is.
    """
    with capture_logs() as logs:
        try:
            database = await open_database(f"sqlite:///{path}")
        except DomainError as error:
            return error.sentence, logs
        watch = IntegrityWatch(database, SystemClock())
        for _ in range(EXAMINATIONS):
            await watch.examine_next()
        status, document = await HealthHandlers([watch]).readiness()
        await database.close()
        return ("" if status == 200 else json.dumps(document)), logs


@pytest.mark.finding("reliability-G")
async def test_flipped_bytes_in_a_database_file_are_reported_with_the_damaged_table_or_index(
    filled: Path, tmp_path: Path
) -> None:
    assert await reports(Path(shutil.copy(filled, tmp_path / "intact.db"))) == ("", [])
    silent, unnamed = [], []
    for number, (part, page) in enumerate(places(filled)):
        path = Path(shutil.copy(filled, tmp_path / f"cloud-{number}.db"))
        flip(path, page)
        before = path.read_bytes()
        said, logs = await reports(path)
        if not said:
            silent.append((part, page))
        elif part != "schema" and f" {part}" not in said.replace(f'"{part}', f" {part}") and part not in said:
            unnamed.append((part, page, said[:300]))
        assert path.read_bytes() == before, "nothing is replaced"
        assert [entry for entry in logs if entry["event"] == "database.damaged" and entry["log_level"] == "error"] or (
            "first page" in said
        ), (part, page)
        path.unlink()
    assert silent == [], f"seed {SEED}"
    assert unnamed == [], f"seed {SEED}"


@pytest.mark.finding("reliability-G")
@pytest.mark.parametrize(
    ("table", "query"),
    [
        ("lanes", "SELECT sum(through_sequence) FROM lanes"),
        ("observations", "SELECT count(*) FROM observations NOT INDEXED"),
    ],
)
async def test_request_that_reads_a_damaged_database_page_gets_503_and_readiness_names_the_table(
    damaged: Path, table: str, query: str
) -> None:
    flip(damaged, parts_of(damaged)[table][0])
    database = await open_database(f"sqlite:///{damaged}")
    watch = IntegrityWatch(database, SystemClock())
    assert (await HealthHandlers([watch]).readiness())[0] == 200
    with pytest.raises(DomainError) as raised:
        async with database.read() as tx:
            await tx.execute(text(query))
    assert (raised.value.code, raised.value.status) == ("database_damaged", 503)
    assert "try again" not in raised.value.sentence
    assert (await HealthHandlers([watch]).readiness())[0] == 503, "at once, before the part is known"
    await watch.examine_everything()
    assert f"table {table}" in str((await HealthHandlers([watch]).readiness())[1])
    with pytest.raises(DomainError, match="damaged"):
        await change(database, table)
    await database.close()


async def change(database: Database, table: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(f"DELETE FROM {table} WHERE 1"))  # noqa: S608  # our own name


async def test_integrity_watch_reports_a_damaged_index_until_it_is_rebuilt(damaged: Path) -> None:
    index = next(name for name in sorted(parts_of(damaged)) if name.startswith("ix_devices"))
    flip(damaged, *entry_of(damaged, index, "SELECT tenant_id FROM devices ORDER BY rowid DESC LIMIT 1"), count=1)
    database = await open_database(f"sqlite:///{damaged}")
    watch = IntegrityWatch(database, SystemClock())
    for _ in range(200):
        await watch.examine_next()
        if watch.damages:
            break
    assert f"index {index}" in watch.damages
    connection = sqlite3.connect(damaged)
    connection.execute(f"REINDEX {index}")
    connection.close()
    for _ in range(200):
        await watch.examine_next()
    assert watch.damages == {}
    await database.close()


@pytest.mark.finding("reliability-G")
def test_doctor_and_other_commands_report_a_damaged_database_table(damaged: Path, tmp_path: Path) -> None:
    for table in ("observations", "tenants"):
        flip(damaged, parts_of(damaged)[table][-1])
    config = str(settings_file(tmp_path, more=""))
    done = CliRunner().invoke(app, ["--config", config, "doctor", "--json"])
    assert done.exit_code == 1
    found = [one["sentence"] for one in json.loads(done.stdout) if one["part"] == "integrity"]
    assert any("table observations" in sentence for sentence in found), found
    done = CliRunner().invoke(app, ["--config", config, "tenants", "list"])
    assert done.exit_code == 1
    assert "damaged" in done.output
    assert "argus-cloud doctor" in done.output


def crash_with_log(filled: Path, folder: Path, transactions: int) -> Path:
    """Return a copy of the database as a crash leaves it: the last transactions are only in the write-ahead log."""
    live, crashed = folder / "live.db", folder / "cloud.db"
    shutil.copy(filled, live)
    connection = sqlite3.connect(live, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    for number in range(transactions):
        connection.execute("INSERT INTO outbox_events SELECT * FROM outbox_events WHERE 0")
        connection.execute("UPDATE tenants SET name = ? WHERE rowid = (SELECT max(rowid) FROM tenants)", (f"{number}",))
    for ending in ("", "-wal"):
        shutil.copy(f"{live}{ending}", f"{crashed}{ending}")
    connection.close()
    return crashed


@pytest.mark.finding("reliability-G")
@pytest.mark.parametrize("at", ["header", "first frame", "middle"])
@pytest.mark.parametrize("opening", ["open", "migrate"])
async def test_damaged_sqlite_wal_file_is_copied_and_reported(
    filled: Path, tmp_path: Path, at: str, opening: str
) -> None:
    path = crash_with_log(filled, tmp_path, transactions=6)
    log = Path(f"{path}-wal")
    frame = 24 + PAGE_BYTES
    frames = (log.stat().st_size - 32) // frame
    place = {"header": 16, "first frame": 32 + 100, "middle": 32 + frame * (frames // 2) + 100}[at]
    damaged_log = bytearray(log.read_bytes())
    damaged_log[place] ^= 0xFF
    log.write_bytes(damaged_log)
    with capture_logs() as logs:
        if opening == "migrate":
            await migrate(f"sqlite:///{path}")
        else:
            await (await open_database(f"sqlite:///{path}")).close()
    (entry,) = [entry for entry in logs if entry["event"] == "database.log_damaged"]
    assert entry["transactions"] >= 1
    assert Path(f"{path}-wal.damaged-1").read_bytes() == damaged_log, "what SQLite drops is kept"
    with capture_logs() as logs:
        await (await open_database(f"sqlite:///{path}")).close()
    assert [entry for entry in logs if entry["event"] == "database.log_damaged"] == [], "once"
    words = ["--config", str(settings_file(tmp_path, more="")), "doctor"]
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert done.exit_code == 1
    assert "cloud.db-wal.damaged-1" in done.stdout


async def test_intact_sqlite_wal_file_after_a_crash_is_not_reported_as_damaged(filled: Path, tmp_path: Path) -> None:
    path = crash_with_log(filled, tmp_path, transactions=6)
    with capture_logs() as logs:
        database = await open_database(f"sqlite:///{path}")
    async with database.read() as tx:
        name = (await tx.execute(text("SELECT name FROM tenants ORDER BY rowid DESC LIMIT 1"))).scalar()
    await database.close()
    assert name == "5"
    assert [entry for entry in logs if str(entry["event"]).startswith("database.")] == []
    assert not Path(f"{path}-wal.damaged-1").exists()


async def test_opening_the_database_during_writes_of_another_process_reports_no_damage(
    filled: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cloud.db"
    shutil.copy(filled, path)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA wal_autocheckpoint=5")
    with capture_logs() as logs:
        for number in range(30):
            writer.execute("UPDATE tenants SET name = ?", (f"{number}",))
            await (await open_database(f"sqlite:///{path}")).close()
    writer.close()
    assert logs == []
