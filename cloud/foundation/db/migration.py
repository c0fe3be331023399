"""Upgrade a database to the newest migration, or create one on request.

A service upgrades its database at start and never creates one: an empty database in place of a lost or unmounted one
would look like an installation without patients. The upgrade is one transaction under a lock (SQLite: `BEGIN
IMMEDIATE`; PostgreSQL: an advisory lock). So if two programs start together, one finds nothing to do, and a failed
migration changes nothing. The upgrade has its own thread, because Alembic is synchronous and uses globals.
"""

import asyncio
import os
import sqlite3
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.pool import NullPool

from cloud.foundation.db.address import PostgresqlAddress, SqliteAddress, read_address
from cloud.foundation.db.errors import DatabaseAbsent, DatabaseForeign, DatabaseRefused, DatabaseUnavailable
from cloud.foundation.db.opening import check_log, check_present, opening_failure
from cloud.foundation.db.revisions import MIGRATIONS, check_known
from cloud.foundation.db.sqlite_connection import APPLICATION_ID, connect
from cloud.foundation.db.sqlite_log import read_log

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# Key of the advisory lock: "argus" in ASCII, so that other programs on the server are unlikely to use it.
ADVISORY_LOCK = 0x6172677573
# A migration by another process may take long, and this process waits for it.
LOCK_WAIT_S = 600

_one_at_a_time = threading.Lock()  # within this process, for Alembic's globals


@dataclass(frozen=True, slots=True)
class Migrated:
    """The revision of the database before and after `migrate`. `before` is None for a new database."""

    before: str | None
    after: str | None


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
    engine = create_engine("sqlite+pysqlite://", creator=lambda: raw, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        raw.execute(f"PRAGMA busy_timeout={LOCK_WAIT_S * 1000}")
        raw.execute("PRAGMA journal_mode=WAL")  # readers continue while the writer writes; stored in the file
        raw.execute("PRAGMA foreign_keys=OFF")  # a rebuilt table is dropped for a moment; checked below
        with engine.connect() as connection, connection.begin():
            raw.execute("BEGIN IMMEDIATE")  # after SQLAlchemy has set the mode, which would end the transaction
            owner = raw.execute("PRAGMA application_id").fetchone()[0]
            if owner != APPLICATION_ID and (owner or raw.execute("SELECT 1 FROM sqlite_schema").fetchone()):
                raise DatabaseForeign
            check_log(address.path, content)
            done = _upgrade(connection, revision, create)
            if done.before != done.after and raw.execute("PRAGMA foreign_key_check").fetchone() is not None:
                raise RuntimeError("the migration left rows that refer to nothing")
            raw.execute(f"PRAGMA application_id={APPLICATION_ID}")
            raw.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "SQLITE_ERROR") == "SQLITE_ERROR":
            raise  # a migration is faulty
        raise opening_failure(error, address.path) from None
    finally:
        raw.close()  # rolls back what was not committed
    return done


async def _migrate_postgresql(address: PostgresqlAddress, revision: str, create: bool) -> Migrated:
    from cloud.foundation.db.postgresql_failures import DRIVER_ERRORS, connect_failure, translated

    engine = make_engine(address)
    try:
        async with engine.connect() as connection:
            return await _upgrade_postgresql(connection, revision, create)
    except DRIVER_ERRORS as error:
        ours = connect_failure(error)
        if translated(error) is None and not isinstance(ours, DatabaseAbsent | DatabaseRefused):
            raise  # a migration is faulty, not the server
        raise ours from None
    finally:
        await engine.dispose()


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


async def _upgrade_postgresql(connection: "AsyncConnection", revision: str, create: bool) -> Migrated:
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    await raw.execute("BEGIN")
    try:
        await raw.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'")
        await raw.execute(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
        async with connection.begin():
            done = await connection.run_sync(_upgrade, revision, create)
    except BaseException:
        await raw.execute("ROLLBACK")
        raise
    await raw.execute("COMMIT")
    return done


def _upgrade(connection: Connection, revision: str, create: bool) -> Migrated:
    """Run the missing migrations up to `revision`, inside the transaction that the caller began on this connection."""
    from alembic import command

    before = current_revision(connection)
    if before is None and not create:
        raise DatabaseAbsent("(There are no tables of ours in it.)")
    check_known(before)
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    return Migrated(before, current_revision(connection))


def alembic_config() -> "Config":
    """Return Alembic's configuration. There is no ini file, since only `migrate` runs Alembic."""
    from alembic.config import Config

    config = Config()
    # Alembic interpolates the value: a percent sign in the path must be doubled.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def current_revision(connection: Connection) -> str | None:
    """Return the number of the database's newest migration, or None for a database without migrations. Raises
    `DatabaseForeign` if a database without migrations has a table `tenants`."""
    from alembic.runtime.migration import MigrationContext

    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None and inspect(connection).has_table("tenants"):
        raise DatabaseForeign("(It has a table named tenants and no record of our migrations.)")
    return revision
