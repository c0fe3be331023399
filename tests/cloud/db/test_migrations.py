"""A database is created only by the migrate command, with the same schema on SQLite and PostgreSQL.

A database whose revision is not known is refused.
"""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from cloud.foundation.db import metadata, migrate, migration, open_database
from cloud.foundation.db.address import PostgresqlAddress, SqliteAddress, read_address
from cloud.foundation.db.errors import (
    DatabaseAbsent,
    DatabaseAddressUnknown,
    DatabaseForeign,
    DatabaseNewer,
    DatabaseUnmigrated,
)
from cloud.foundation.db.migration import make_engine
from cloud.foundation.db.postgresql import PostgresqlDatabase
from cloud.foundation.db.revisions import RELEASE_BEFORE, SchemaRevision, known_revisions, read_revision
from cloud.foundation.db.schema_upgrade import Migrated, alembic_config
from cloud.foundation.db.sqlite import SqliteDatabase
from cloud.foundation.db.sqlite_connection import LOG_BYTES, PAGE_BYTES
from cloud.foundation.errors import DomainError
from cloud.slices import SLICES, load_tables
from tests.builders.cloud_schema import schema_of


async def run_sql(url: str, *statements: str) -> None:
    """Execute SQL statements on the database without the product's code."""
    address = read_address(url)
    if isinstance(address, SqliteAddress):
        with sqlite3.connect(address.path) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
        return
    engine = make_engine(address)
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def begin_anew(url: str) -> SqliteDatabase | PostgresqlDatabase:
    """Delete the content of the database, and open the empty database."""
    address = read_address(url)
    if isinstance(address, SqliteAddress):
        for leftover in address.path.parent.glob(f"{address.path.name}*"):
            leftover.unlink()
        sqlite3.connect(address.path).close()
        opened = SqliteDatabase(address.path)
        await opened.open()
        return opened
    await run_sql(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    assert isinstance(address, PostgresqlAddress)
    return PostgresqlDatabase(address)


async def create_declared(url: str) -> None:
    """Create the tables from their declarations in the slices, without migrations."""
    address = read_address(url)
    if isinstance(address, SqliteAddress):
        engine = create_engine(f"sqlite+pysqlite:///{address.path}")
        metadata.create_all(engine)
        engine.dispose()
        return
    migrating = make_engine(address)
    async with migrating.connect() as connection:
        await connection.run_sync(metadata.create_all)
    await migrating.dispose()


async def test_declared_database_schema_equals_the_migrated_schema(empty_database_url: str) -> None:
    await migrate(empty_database_url, create=True)
    migrated = await open_database(empty_database_url)
    by_migrations = await schema_of(migrated)
    await migrated.close()
    declared = await begin_anew(empty_database_url)
    load_tables()
    await create_declared(empty_database_url)
    assert len(by_migrations) > 100
    assert by_migrations == await schema_of(declared)
    await declared.close()


def test_every_package_with_a_tables_module_declares_its_tables_in_its_slice() -> None:
    cloud = Path(__file__).parents[3] / "cloud"
    with_tables = {".".join(path.parent.relative_to(cloud.parent).parts) for path in cloud.glob("*/*/tables.py")}
    assert with_tables == {one.package for one in SLICES if one.tables is not None}


def test_migration_file_names_give_the_same_revision_order_as_alembic() -> None:
    script = ScriptDirectory.from_config(alembic_config())
    assert known_revisions() == tuple(reversed([revision.revision for revision in script.walk_revisions()]))
    assert script.get_heads() == [known_revisions()[-1]]


async def test_repeated_migration_of_a_database_leaves_its_revision_unchanged(empty_database_url: str) -> None:
    first = await migrate(empty_database_url, create=True)
    again = await migrate(empty_database_url, create=True)
    assert (first.before, first.after) == (None, known_revisions()[-1])
    assert (again.before, again.after) == (first.after, first.after)
    database = await open_database(empty_database_url)
    assert await read_revision(database) == SchemaRevision(known_revisions()[-1], RELEASE_BEFORE)
    await database.close()


async def test_database_is_migrated_once_when_three_processes_migrate_it_concurrently(
    empty_database_url: str,
) -> None:
    program = (
        "import asyncio, sys; from cloud.foundation.db import migrate;"
        " print(asyncio.run(migrate(sys.argv[1], create=True)).before)"
    )
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, empty_database_url, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    said = [(await process.communicate())[0].decode().strip() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert sorted(said) == sorted(["None", known_revisions()[-1], known_revisions()[-1]])


async def test_error_for_a_database_of_a_later_revision_states_that_a_newer_argus_is_needed(database_url: str) -> None:
    await run_sql(database_url, "UPDATE alembic_version SET version_num = '9999'")
    for attempt in (open_database, migrate):
        with pytest.raises(DatabaseNewer, match=r"newer Argus.*9999"):
            await attempt(database_url)


async def test_database_of_an_earlier_revision_is_refused_until_it_is_migrated(database_url: str) -> None:
    await run_sql(database_url, "UPDATE schema_revision SET version_num = '0020'")
    with pytest.raises(DatabaseUnmigrated, match="argus-cloud migrate"):
        await open_database(database_url)


async def test_database_of_another_program_is_refused(empty_database_url: str) -> None:
    await run_sql(empty_database_url, "CREATE TABLE tenants (rent integer)")
    with pytest.raises(DatabaseForeign):
        await migrate(empty_database_url, create=True)
    with pytest.raises((DatabaseForeign, DatabaseUnmigrated)):
        await open_database(empty_database_url)


async def test_opening_an_absent_database_creates_no_file(tmp_path: Path) -> None:
    path = tmp_path / "absent.db"
    with pytest.raises(DatabaseAbsent, match=r"absent\.db"):
        await open_database(f"sqlite:///{path}")
    assert not path.exists()


@pytest.mark.finding("reliability-G")
async def test_migration_creates_an_absent_database_only_with_the_create_option(empty_database_url: str) -> None:
    with pytest.raises(DomainError, match=r"restore a backup.*argus-cloud init"):
        await migrate(empty_database_url)
    if empty_database_url.startswith("sqlite"):
        path = Path(empty_database_url.removeprefix("sqlite:///"))
        assert not path.exists()
        path.touch()
        with pytest.raises(DomainError, match=r"is empty"):
            await migrate(empty_database_url)
        assert path.read_bytes() == b"", "what is left of a lost file stays as it is"
    with pytest.raises(DatabaseAbsent, match="argus-cloud init"):
        await open_database(empty_database_url)
    assert (await migrate(empty_database_url, create=True)).before is None
    assert (await migrate(empty_database_url)).before == known_revisions()[-1]


async def test_file_that_is_not_a_database_is_refused_and_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but somebody's notes\n" * 100)
    for attempt in (open_database, migrate):
        with pytest.raises(DatabaseForeign):
            await attempt(f"sqlite:///{path}")
    assert path.read_text().startswith("not a database")


async def test_sqlite_file_has_mode_0600_and_uses_wal_with_synchronous_full(migrated_sqlite: Path) -> None:
    assert migrated_sqlite.stat().st_mode & 0o777 == 0o600
    database = await open_database(f"sqlite:///{migrated_sqlite}")
    async with database.read() as tx:
        assert (await tx.execute(text("PRAGMA journal_mode"))).scalar() == "wal"
        assert (await tx.execute(text("PRAGMA foreign_keys"))).scalar() == 1
    async with database.transaction() as tx:
        assert (await tx.execute(text("PRAGMA synchronous"))).scalar() == 2  # FULL
    await database.close()


async def test_new_sqlite_file_has_small_pages_and_a_file_of_an_earlier_release_keeps_its_own(
    migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = tmp_path / "earlier.db"
    with monkeypatch.context() as before:
        before.setattr(migration, "PAGE_BYTES", 4096)
        await migrate(f"sqlite:///{earlier}", revision="0001", create=True)
    await migrate(f"sqlite:///{earlier}")
    for path, page_bytes in ((migrated_sqlite, PAGE_BYTES), (earlier, 4096)):
        database = await open_database(f"sqlite:///{path}")
        async with database.transaction() as tx:
            assert (await tx.execute(text("PRAGMA page_size"))).scalar() == page_bytes
            assert (await tx.execute(text("PRAGMA wal_autocheckpoint"))).scalar() * page_bytes == LOG_BYTES
        await database.close()


@pytest.mark.parametrize(
    "url", ["", "cloud.db", "sqlite://", "sqlite:///:memory:", "mysql://root:secret@localhost/argus", "postgresql://h"]
)
def test_invalid_database_url_is_refused_without_repeating_its_password(url: str) -> None:
    with pytest.raises(DatabaseAddressUnknown) as caught:
        read_address(url)
    assert "secret" not in str(caught.value)


BEGIN_ELSEWHERE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    connection.execute("BEGIN IMMEDIATE")
    print("begun")
except sqlite3.OperationalError as error:
    print(error)
"""


async def test_no_other_process_can_write_to_a_sqlite_file_during_a_migration(
    migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing a file of the database releases the locks that SQLite holds on it for this process. A service that was
    writing then overwrote the migration."""
    path = Path(shutil.copy(migrated_sqlite, tmp_path / "cloud.db"))
    service = sqlite3.connect(path)  # keeps the write-ahead log, as a running service does
    service.execute("CREATE TABLE written (number INTEGER)")
    elsewhere = []

    def upgrade(connection: Connection, revision: str, *, create: bool) -> Migrated:
        words = [sys.executable, "-c", BEGIN_ELSEWHERE, str(path)]
        elsewhere.append(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())
        return Migrated(revision, revision)

    monkeypatch.setattr(migration, "upgrade", upgrade)
    await migrate(f"sqlite:///{path}")
    service.close()
    assert elsewhere == ["database is locked"]
