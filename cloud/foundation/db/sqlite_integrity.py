"""Examine a SQLite file page by page and name its damaged parts.

SQLite reports damage only when it reads a damaged page, and its error does not name the table. Its integrity check
examines each table with its indexes, on a separate connection, so that no request waits. A table too large for the time
limit is reported as not finished. A changed byte within a value is not found, since SQLite stores no checksums.
"""

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud.foundation.db.sqlite_connection import connect

TABLE_S_MAX = 60.0
"""Limit for one table, enough for about 10 GB. While a check runs, SQLite cannot truncate the write-ahead log."""
FINDINGS_MAX = 20
"""Greatest number of findings about one table. A longer list would not help with a file that is damaged all over."""
STEP_INSTRUCTIONS = 100_000
"""Instructions of SQLite between two checks of the time: some milliseconds."""

_TREE = re.compile(r"\b(?:Tree|On tree page) (\d+)")
_INDEX = re.compile(r"\bindex (\w+)")
SCHEMA = "schema"
FREE_PAGES = "free pages"


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged table, index, schema or list of free pages. `finding` names pages and cells, never a value."""

    part: str
    finding: str


@dataclass(frozen=True, slots=True)
class Examined:
    """The result of the check of one part. `finished` is False when the time limit ended the check."""

    part: str
    damages: Sequence[Damage]
    finished: bool = True


def tables_of(path: Path) -> list[str]:
    """Return the names of the tables in a file. Raises sqlite3.DatabaseError when the schema cannot be read."""
    connection = connect(path, read_only=True)
    try:
        found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name")
        return [str(row[0]) for row in found]
    finally:
        connection.close()


def examine_table(path: Path, table: str, within_s: float = TABLE_S_MAX) -> Examined:
    """Check the pages of one table and its indexes, the order of its rows, and the index entries of each row."""
    quoted = table.replace('"', '""')
    return _examine(path, f"table {table}", f'PRAGMA integrity_check("{quoted}")', within_s)


def examine_file(path: Path, within_s: float = TABLE_S_MAX) -> Examined:
    """Check the pages of the whole file, including the free pages, but not whether indexes match their rows."""
    return _examine(path, FREE_PAGES, "PRAGMA quick_check", within_s)


def examine_all(path: Path, within_s: float) -> Iterator[Examined]:
    """Check every table, then the file, within one time limit; yield each result. If the schema cannot be read, yield
    only the damage of the schema."""
    end_s = time.monotonic() + within_s
    try:
        tables = tables_of(path)
    except sqlite3.DatabaseError as error:
        yield Examined(SCHEMA, [Damage(SCHEMA, _name_of(error))])
        return
    for table in tables:
        yield examine_table(path, table, end_s - time.monotonic())
    yield examine_file(path, end_s - time.monotonic())


def _examine(path: Path, part: str, check: str, within_s: float) -> Examined:
    try:
        connection = connect(path, read_only=True)
    except sqlite3.DatabaseError as error:
        return Examined(part, [Damage(SCHEMA, _name_of(error))])
    end_s = time.monotonic() + within_s
    try:
        names = _names_of_trees(connection)
        connection.set_progress_handler(lambda: time.monotonic() > end_s, STEP_INSTRUCTIONS)
        lines = [str(row[0]) for row in connection.execute(check).fetchmany(FINDINGS_MAX)]
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            return Examined(part, [], finished=False)
        return Examined(part, [Damage(part, _name_of(error))])
    finally:
        connection.close()
    found = [one for line in lines for one in line.splitlines() if one not in ("ok", "*** in database main ***")]
    return Examined(part, [Damage(_part_of(line, part, names), line) for line in found])


def _names_of_trees(connection: sqlite3.Connection) -> dict[int, str]:
    """Return a mapping from the first page's number of each table and index to its name, such as `table devices`."""
    rows = connection.execute("SELECT rootpage, type, name FROM sqlite_schema WHERE rootpage > 0").fetchall()
    return {1: SCHEMA} | {int(root): f"{kind} {name}" for root, kind, name in rows}


def _part_of(line: str, part: str, names: dict[int, str]) -> str:
    """Return the part of the file that a line of SQLite's integrity check names, or `part` if the line names none.
    Lines read `Tree 12 page 40 cell 3: …`, `row 7 missing from index ix_…`, `Freelist: …` or `Page 9: never used`."""
    if (tree := _TREE.search(line)) is not None:
        return names.get(int(tree[1]), part)
    if (index := _INDEX.search(line)) is not None:
        return f"index {index[1]}"
    return FREE_PAGES if line.startswith(("Freelist", "Page ")) else part


def _name_of(error: sqlite3.DatabaseError) -> str:
    """Return the name of SQLite's error, such as SQLITE_CORRUPT. Its text may quote a value and is not used."""
    return getattr(error, "sqlite_errorname", "") or type(error).__name__
