"""Open the database named by the settings, or say in one sentence why it cannot be used."""

import sqlite3
from pathlib import Path

from cloud.db.address import SqliteAddress, read_address
from cloud.db.database import Database
from cloud.db.errors import DatabaseAbsent, DatabaseForeign, DatabaseUnavailable, DatabaseUnmigrated
from cloud.db.postgresql import PostgresqlDatabase
from cloud.db.revisions import check_current
from cloud.db.sqlite import SqliteDatabase
from cloud.db.sqlite_connection import APPLICATION_ID, connect
from cloud.errors import DomainError


async def open_database(url: str) -> Database:
    """Open a migrated database. It is never created here: a wrong path must not begin a second history.

    Raises `DatabaseAbsent`, `DatabaseUnmigrated`, `DatabaseNewer`, `DatabaseForeign`, `DatabaseAddressUnknown`,
    `DatabaseUnavailable`.
    """
    address = read_address(url)
    database: Database
    if isinstance(address, SqliteAddress):
        _look_at_file(address.path)
        database = await _opened(address.path)
    else:
        database = PostgresqlDatabase(address)
    try:
        check_current(await database.revision())
    except BaseException:
        await database.close()
        raise
    return database


async def _opened(path: Path) -> SqliteDatabase:
    database = SqliteDatabase(path)
    try:
        await database.open()
    except sqlite3.DatabaseError as error:
        await database.close()
        raise _told(error, path) from None
    return database


def _look_at_file(path: Path) -> None:
    """Is it there, is it SQLite, is it ours?"""
    if not path.exists():
        raise DatabaseAbsent(f"({path})")
    try:
        connection = connect(path)
    except sqlite3.DatabaseError as error:
        raise _told(error, path) from None
    try:
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        empty = connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is None
        if empty:
            raise DatabaseUnmigrated(f"({path} is empty.)")
        if owner != APPLICATION_ID:
            raise DatabaseForeign(f"({path})")
    except sqlite3.DatabaseError as error:
        raise _told(error, path) from None
    finally:
        connection.close()


def _told(error: sqlite3.DatabaseError, path: Path) -> DomainError:
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_NOTADB":
        return DatabaseForeign(f"({path} is not a SQLite file.)")
    return DatabaseUnavailable(f"({path}: {name})")
