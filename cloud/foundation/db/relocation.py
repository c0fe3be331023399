"""Copy a whole SQLite database into an empty PostgreSQL database: the way from one box to a database server.

A service must not store anything in SQLite after the copy, since PostgreSQL would never get it. So the copy locks the
SQLite file: it fails while a service has the file open, and no service can open the file before it ends. Afterwards the
file is marked, and no program of Argus opens it again.

The copy is one transaction on PostgreSQL. So an interrupted copy leaves nothing there and the SQLite database
unchanged, and the command is run again. If the process is killed between the commit and the mark, the next attempt
reports that the target has rows, and needs a new database. The worker refreshes the planner's statistics. Objects
(packed waveforms) have a store of their own and are not part of a database.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Float, Table

from cloud.foundation.db.address import PostgresqlAddress, SqliteAddress
from cloud.foundation.db.errors import (
    ConstraintViolated,
    DatabaseDamaged,
    DatabaseInUse,
    DatabaseNotEmpty,
    DatabaseUnmigrated,
    RowNotCopied,
    ValueRefused,
)
from cloud.foundation.db.migration import migrate
from cloud.foundation.db.opening import look_at_file, opening_failure
from cloud.foundation.db.partitions import DayPartitions
from cloud.foundation.db.revisions import known_revisions
from cloud.foundation.db.schema import FILLED_BY_MIGRATION
from cloud.foundation.db.sqlite_connection import MOVED_ID, connect

if TYPE_CHECKING:
    from asyncpg import Connection

ROWS_AT_ONCE = 50_000
"""Rows in one COPY, and between two reports of the progress. The server checks foreign keys at the end of each COPY and
notes every row for it in memory until then."""
_SEQUENCE = "SELECT pg_get_serial_sequence($1, $2)"

Report = Callable[[str, int], None]
"""Called with a large table's name and the number of its rows that are copied so far."""


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """A table of the database and the number of rows that were copied."""

    name: str
    rows: int


async def copy_to_postgresql(
    source: SqliteAddress, target: PostgresqlAddress, tables: Sequence[Table], report: Report
) -> list[CopiedTable]:
    """Copy the rows of `tables` (parents before children) and mark the source as moved.

    The target is created or migrated to this program's revision, which the source must have. Raises `DatabaseInUse` if
    another process has the source open, `DatabaseUnmigrated` if its revision differs, `DatabaseNotEmpty` if the target
    has rows, `RowNotCopied` if PostgreSQL refuses a value, and the errors of opening a database.
    """
    from cloud.foundation.db.postgresql_failures import DRIVER_ERRORS, connect_failure
    from cloud.foundation.db.postgresql_pool import connect as connect_to_server

    look_at_file(source.path)
    await migrate(target.url.render_as_string(hide_password=False), create=True)
    with closing(_alone(source)) as file:
        server = await connect_to_server(target)
        try:
            copied = await _copy_all(file, server, tables, report)
        except DRIVER_ERRORS as error:
            raise connect_failure(error) from None
        finally:
            server.terminate()
        file.execute(f"PRAGMA application_id={MOVED_ID}")
    return copied


def _alone(source: SqliteAddress) -> sqlite3.Connection:
    """Open the file so that no other connection can, until this one is closed. Raises `DatabaseInUse`,
    `DatabaseUnmigrated`."""
    try:
        file = connect(source.path)
        try:
            file.execute("PRAGMA busy_timeout=0")  # a service keeps the file open until it is stopped
            file.execute("PRAGMA locking_mode=EXCLUSIVE")
            file.execute("BEGIN EXCLUSIVE")  # the lock stays when the transaction ends
            file.execute("COMMIT")
            (revision,) = file.execute("SELECT version_num FROM schema_revision").fetchone()
        except BaseException:
            file.close()
            raise
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname.startswith("SQLITE_BUSY"):
            raise DatabaseInUse(f"({source.path})") from None
        if error.sqlite_errorname == "SQLITE_ERROR":
            raise DatabaseUnmigrated("(It stands before 0021.)") from None
        raise opening_failure(error, source.path) from None
    if revision != known_revisions()[-1]:
        file.close()
        raise DatabaseUnmigrated(f"(It stands at {revision}, this program needs {known_revisions()[-1]}.)")
    return file


async def _copy_all(
    file: sqlite3.Connection, server: "Connection[Any]", tables: Sequence[Table], report: Report
) -> list[CopiedTable]:
    """Copy all tables in one transaction. No server process reads them before it ends."""
    await server.execute("BEGIN")
    names = ", ".join(table.name for table in tables)
    await server.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
    filled = [table for table in tables if await server.fetchval(f"SELECT 1 FROM {table.name} LIMIT 1")]  # noqa: S608  our own table
    foreign = [str(table.name) for table in filled if FILLED_BY_MIGRATION not in table.info]
    if foreign:
        raise DatabaseNotEmpty(f"(It has rows in {', '.join(foreign[:3])}.)")
    for table in filled:
        await server.execute(f"DELETE FROM {table.name}")  # noqa: S608  our own table
    copied = [CopiedTable(str(table.name), await _copy_table(file, server, table, report)) for table in tables]
    await server.execute("COMMIT")
    return copied


async def _copy_table(file: sqlite3.Connection, server: "Connection[Any]", table: Table, report: Report) -> int:
    from cloud.foundation.db.postgresql_failures import DRIVER_ERRORS, translated

    names = [column.name for column in table.columns]
    if table.dialect_options["postgresql"]["partition_by"] is not None:
        for (day,) in file.execute(f"SELECT DISTINCT day FROM {table.name}").fetchall():  # noqa: S608  our own table
            for statement in DayPartitions(table).statements_to_add(day):
                await server.execute(statement)
    # A row that refers to another one of its own table may come before it, so such a table is one COPY.
    whole = any(key.column.table is table for key in table.foreign_keys)
    count = 0
    for rows in _chunks(file, table, None if whole else ROWS_AT_ONCE):
        try:
            await server.copy_records_to_table(table.name, records=rows, columns=names)
        except DRIVER_ERRORS as error:
            if not isinstance(translated(error), ValueRefused | ConstraintViolated):
                raise
            raise RowNotCopied(f"(Table {table.name}: {type(error).__name__}.)") from None
        count += len(rows)
        if len(rows) == ROWS_AT_ONCE:
            report(table.name, count)
    for column in table.primary_key.columns:
        if column.type.python_type is int and await server.fetchval(_SEQUENCE, table.name, column.name):
            await server.execute(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'), max({column.name}))"  # noqa: S608  names of a declared table
                f" FROM {table.name} HAVING max({column.name}) IS NOT NULL"
            )
    return count


def _chunks(file: sqlite3.Connection, table: Table, rows_max: int | None) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a table, with the types that PostgreSQL's driver expects. `rows_max` None: all at once."""
    columns = list(table.columns)
    converters = [(place, to) for place, column in enumerate(columns) if (to := _converter(column.type)) is not None]
    names = ", ".join(f'"{column.name}"' for column in columns)
    try:
        cursor = file.execute(f"SELECT {names} FROM {table.name}")  # noqa: S608  names of a declared table
        while found := cursor.fetchall() if rows_max is None else cursor.fetchmany(rows_max):
            if converters:
                found = [_converted(row, converters) for row in found]
            yield found
    except sqlite3.DatabaseError as error:
        raise DatabaseDamaged(f"(Table {table.name}: {error.sqlite_errorname}.)") from None


def _converter(kind: object) -> Callable[[Any], Any] | None:
    """Return how a value of SQLite becomes one of this column type: SQLite has no truth values, and may store a float
    without fraction as an integer."""
    if isinstance(kind, Boolean):
        return bool
    return float if isinstance(kind, Float) else None


def _converted(row: tuple[Any, ...], converters: Sequence[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    values = list(row)
    for place, to in converters:
        if values[place] is not None:
            values[place] = to(values[place])
    return tuple(values)
