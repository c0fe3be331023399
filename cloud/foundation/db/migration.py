"""Upgrade a database to the newest migration, or create one on request.

A service upgrades its database at start and never creates one: an empty database in place of a lost or unmounted one
would look like an installation without patients. The upgrade holds a lock (SQLite: `BEGIN IMMEDIATE`; PostgreSQL: an
advisory lock of the connection), so if two programs start together, one finds nothing to do. The upgrade has its own
thread, because Alembic is synchronous and uses globals.

Other processes may use the database meanwhile, also those of the release before. On SQLite an upgrade is one
transaction. On PostgreSQL each migration is one, so that its tables are locked for hundredths of a second: ingest
stopped for up to nine seconds when one transaction had the locks of all. A statement that waits for a table's lock
makes all later statements on this table wait too, so it waits for a short time only, and the migration is tried again.
It is also tried again if PostgreSQL ended it because of a deadlock: another process may use tables in another order. A
migration that fails changes nothing. Those before it stay, and the release before can use their database.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

from cloud.foundation.db.address import PostgresqlAddress, SqliteAddress, read_address
from cloud.foundation.db.errors import (
    DatabaseAbsent,
    DatabaseRefused,
    DatabaseUnavailable,
    TablesInUse,
)
from cloud.foundation.db.opening import check_log, check_owner, check_present, opening_failure
from cloud.foundation.db.revisions import SchemaRevision
from cloud.foundation.db.schema_upgrade import Migrated, stored_revision, upgrade
from cloud.foundation.db.sqlite_connection import APPLICATION_ID, PAGE_BYTES, connect
from cloud.foundation.db.sqlite_log import read_log

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# Key of the advisory lock: "argus" in ASCII, so that other programs on the server are unlikely to use it.
ADVISORY_LOCK = 0x6172677573
MIGRATION_WAIT_S = 60
"""Longest wait for a migration by another process, or for SQLite's write lock. A migration takes a second or two."""
TABLE_WAIT_S = 2.0
"""Longest wait for the lock of a table on PostgreSQL, and so longest delay of the requests behind it."""
TABLE_PAUSE_S = 3.0
"""Pause before the next attempt, for the statements that had to wait."""
TABLE_ATTEMPTS = 20
"""Attempts to lock the tables: together 100 s, more than a statement of ours lasts (30 s)."""
CHECKED_ROWS_MAX = 10_000
"""Size of a table up to which its foreign keys are checked after a migration on SQLite, in some milliseconds. Larger
tables are never rebuilt (tests/tidy), so their references are whole."""

log = structlog.get_logger()

_one_at_a_time = threading.Lock()  # within this process, for Alembic's globals


async def migrate(url: str, *, revision: str = "head", create: bool = False) -> Migrated:
    """Upgrade the database to `revision`, never downgrade it. With `create`, create the database if it is absent.
    Raises `DatabaseUnavailable` or a subclass of `DatabaseUnusable`, such as `DatabaseAbsent` for an absent or empty
    database when `create` is False."""
    address = read_address(url)
    return await asyncio.to_thread(_migrate_alone, address, revision, create)


def _migrate_alone(address: SqliteAddress | PostgresqlAddress, revision: str, create: bool) -> Migrated:
    with _one_at_a_time:
        if isinstance(address, SqliteAddress):
            return _migrate_sqlite(address, revision, create)
        return asyncio.run(_migrate_postgresql(address, revision, create))


def _migrate_sqlite(address: SqliteAddress, revision: str, create: bool) -> Migrated:
    if not create:
        check_present(address.path)
    content = read_log(address.path)
    try:
        # The file will contain patient data: readable for this user only, whatever the umask is.
        os.close(os.open(address.path, (os.O_CREAT if create else 0) | os.O_RDWR, 0o600))
        raw = connect(address.path)
    except OSError as error:
        raise DatabaseUnavailable(f"(The file {address.path} cannot be opened: {error.strerror}.)") from None
    except sqlite3.DatabaseError as error:
        raise opening_failure(error, address.path) from None
    with ExitStack() as until_closed:
        try:
            done = _upgrade_sqlite(
                raw, address.path, revision, create, lambda: check_log(address.path, content, until_closed)
            )
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorname", "SQLITE_ERROR") == "SQLITE_ERROR":
                raise  # a migration is faulty
            raise opening_failure(error, address.path) from None
        finally:
            raw.close()  # rolls back what was not committed
    return done


def _upgrade_sqlite(
    raw: sqlite3.Connection, path: Path, revision: str, create: bool, check: Callable[[], None]
) -> Migrated:
    """Upgrade in one transaction. `check` is called when SQLite has read from the database."""
    engine = create_engine("sqlite+pysqlite://", creator=lambda: raw, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    raw.execute(f"PRAGMA busy_timeout={MIGRATION_WAIT_S * 1000}")
    raw.execute(f"PRAGMA page_size={PAGE_BYTES}")  # of a new file; without effect on others
    raw.execute("PRAGMA journal_mode=WAL")  # readers continue while the writer writes; stored in the file
    raw.execute("PRAGMA foreign_keys=OFF")  # a rebuilt table is dropped for a moment; checked below
    with engine.connect() as connection, connection.begin():
        raw.execute("BEGIN IMMEDIATE")  # after SQLAlchemy has set the mode, which would end the transaction
        owner = raw.execute("PRAGMA application_id").fetchone()[0]
        if owner or raw.execute("SELECT 1 FROM sqlite_schema").fetchone():
            check_owner(owner, path)
        check()
        done = upgrade(connection, revision, create=create)
        if done.before != done.after:
            _check_references(raw)
        raw.execute(f"PRAGMA application_id={APPLICATION_ID}")
        raw.execute("COMMIT")
    return done


def _check_references(raw: sqlite3.Connection) -> None:
    """Check the foreign keys of all tables but the large ones."""
    tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()]
    for table in tables:
        (rows,) = raw.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {CHECKED_ROWS_MAX + 1})").fetchone()  # noqa: S608
        if rows <= CHECKED_ROWS_MAX and raw.execute(f"PRAGMA foreign_key_check({table})").fetchone() is not None:
            raise RuntimeError(f"the migration left rows of {table} that refer to nothing")


async def _migrate_postgresql(address: PostgresqlAddress, revision: str, create: bool) -> Migrated:
    from cloud.foundation.db.postgresql_failures import DRIVER_ERRORS, connect_failure, is_lock_refused, translated

    engine = make_engine(address)
    before: str | None = None
    try:
        for _ in range(TABLE_ATTEMPTS):
            try:
                async with engine.connect() as connection:
                    found = await _lock(connection)
                    before = before or (None if found is None else found.applied)
                    done = await _upgrade_postgresql(connection, revision, create)
                    return Migrated(before, done.after)
            except DRIVER_ERRORS as error:
                if not is_lock_refused(error):
                    raise
                log.warning("database.tables_in_use", waited_s=TABLE_WAIT_S, again_in_s=TABLE_PAUSE_S)
            await asyncio.sleep(TABLE_PAUSE_S)
    except DRIVER_ERRORS as error:
        ours = connect_failure(error)
        if translated(error) is None and not isinstance(ours, DatabaseAbsent | DatabaseRefused):
            raise  # a migration is faulty, not the server
        raise ours from None
    finally:
        await engine.dispose()
    raise TablesInUse


def make_engine(address: PostgresqlAddress) -> "AsyncEngine":
    """Return an engine of SQLAlchemy, which Alembic needs, with one connection in autocommit mode. It is imported here,
    since its import takes as long as that of half the cloud and only a migration needs it."""
    from sqlalchemy.ext.asyncio import create_async_engine

    from cloud.foundation.db.postgresql_pool import connect

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(connect, address),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
    )


async def _lock(connection: "AsyncConnection") -> SchemaRevision | None:
    """Wait until no other program migrates the database, and return its revision. The lock ends with the connection."""
    async with connection.begin():
        await connection.execute(text(f"SET lock_timeout = '{MIGRATION_WAIT_S}s'"))
        await connection.execute(text(f"SELECT pg_advisory_lock({ADVISORY_LOCK})"))
        return await connection.run_sync(stored_revision)


async def _upgrade_postgresql(connection: "AsyncConnection", revision: str, create: bool) -> Migrated:
    # In autocommit mode SQLAlchemy sends no BEGIN and COMMIT.
    begin = f"BEGIN; SET LOCAL lock_timeout = '{round(TABLE_WAIT_S * 1000)}ms'"
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None

    def begin_next() -> None:
        await_only(raw.execute(f"COMMIT; {begin}"))

    await raw.execute(begin)
    try:
        async with connection.begin():
            done = await connection.run_sync(partial(upgrade, revision=revision, create=create, begin_next=begin_next))
    except BaseException:
        await raw.execute("ROLLBACK")
        raise
    await raw.execute("COMMIT")
    return done
