"""Open the database named by the settings, or raise an error that explains why it cannot be used."""

import sqlite3
from contextlib import ExitStack
from pathlib import Path

import structlog

from cloud.foundation.db.address import SqliteAddress, read_address
from cloud.foundation.db.database import Database
from cloud.foundation.db.errors import (
    DatabaseAbsent,
    DatabaseDamaged,
    DatabaseForeign,
    DatabaseMoved,
    DatabaseUnavailable,
)
from cloud.foundation.db.revisions import (
    APPLIED_TABLE,
    COMPATIBLE_TABLE,
    SchemaRevision,
    check_usable,
    read_revision,
)
from cloud.foundation.db.sqlite import SqliteDatabase
from cloud.foundation.db.sqlite_connection import APPLICATION_ID, MOVED_ID, connect
from cloud.foundation.db.sqlite_log import LogContent, frames_taken_over, keep_copy, lost_commits, read_log
from cloud.foundation.errors import DomainError

log = structlog.get_logger()


async def open_database(url: str) -> Database:
    """Open the database, which must exist and be migrated. Raises `DatabaseAbsent`, `DatabaseUnmigrated`,
    `DatabaseNewer`, `DatabaseForeign`, `DatabaseAddressUnknown`, `DatabaseUnavailable`."""
    address = read_address(url)
    if isinstance(address, SqliteAddress):
        look_at_file(address.path)
        return await _current(await _opened(address.path))
    from cloud.foundation.db.postgresql import PostgresqlDatabase  # with its driver, which SQLite does not need

    database = PostgresqlDatabase(address)
    await database.open()
    return await _current(database)


async def _current(database: Database) -> Database:
    """Return the database if this program can use its schema, otherwise close it and raise an error."""
    try:
        check_usable(await _revision(database))
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
        raise opening_failure(error, path) from None
    return database


def look_at_file(path: Path) -> None:
    """Check that the file is a SQLite database of Argus, and report a damaged write-ahead log beside it. Raises
    `DatabaseAbsent`, `DatabaseForeign`, `DatabaseMoved`, `DatabaseDamaged`, `DatabaseUnavailable`."""
    check_present(path)
    content = read_log(path)
    with ExitStack() as until_closed:
        try:
            connection = connect(path)
        except sqlite3.DatabaseError as error:
            raise opening_failure(error, path) from None
        try:
            owner = connection.execute("PRAGMA application_id").fetchone()[0]
            if connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is None:
                raise DatabaseAbsent(f"(There are no tables in {path}.)")
            check_log(path, content, until_closed)
            check_owner(owner, path)
        except sqlite3.DatabaseError as error:
            raise opening_failure(error, path) from None
        finally:
            connection.close()


def check_owner(owner: int, path: Path) -> None:
    """Check the application id of a SQLite file. Raises `DatabaseMoved`, `DatabaseForeign`."""
    if owner == MOVED_ID:
        raise DatabaseMoved(f"({path})")
    if owner != APPLICATION_ID:
        raise DatabaseForeign(f"({path})")


async def _revision(database: Database) -> SchemaRevision | None:
    """Return the database's revision, or None. Raises `DatabaseDamaged` when damage makes it unreadable; for SQLite,
    the damage is also logged."""
    try:
        return await read_revision(database)
    except DatabaseDamaged:
        if not isinstance(database, SqliteDatabase):
            raise
        part = f"table {APPLIED_TABLE} or {COMPATIBLE_TABLE}"
        log.error("database.damaged", database=str(database.path), part=part, finding="met when it was opened")
        raise DatabaseDamaged(f"({database.path}: {part}.)") from None


def check_present(path: Path) -> None:
    """Raise `DatabaseAbsent` when the file is absent or empty."""
    try:
        size_bytes = path.stat().st_size
    except OSError:
        raise DatabaseAbsent(f"({path})") from None
    if size_bytes == 0:
        raise DatabaseAbsent(f"({path} is empty.)")


def check_log(path: Path, content: LogContent | None, until_closed: ExitStack) -> None:
    """If SQLite did not apply the last commits of the write-ahead log, log an error and copy the log file. `content` is
    what the log file contained before SQLite opened the database (None: there was no log file). Call this after SQLite
    has read from the database. `until_closed` must end after the connection was closed."""
    if content is None:
        return
    try:
        lost = lost_commits(content, frames_taken_over(path, until_closed))
        if not lost or read_log(path) != content:
            return  # another process has begun a new log since
        copy = keep_copy(path)
    except OSError as error:
        log.error("database.log_unexamined", path=str(path), error=type(error).__name__)
        return
    log.error("database.log_damaged", database=str(path), part="log", transactions=lost, copy=copy and copy.name)


def opening_failure(error: sqlite3.DatabaseError, path: Path) -> DomainError:
    """Return our error for a database file that SQLite cannot open, or whose schema SQLite cannot read."""
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_NOTADB":
        return DatabaseForeign(f"({path} is not a SQLite file, or its first page is damaged.)")
    if name.startswith("SQLITE_CORRUPT"):
        log.error("database.damaged", path=str(path), object="schema", finding=name)
        return DatabaseDamaged(f"({path}: the schema cannot be read.)")
    return DatabaseUnavailable(f"({path}: {name})")
