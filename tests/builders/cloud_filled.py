"""A SQLite database with rows in every table, some of them deleted again. `parts_of` finds the pages of each table and
index.
"""

import random
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from cloud.foundation.db import metadata
from cloud.slices import load_tables
from cloud.work.evidence.tables import evidence, evidence_ends, evidence_records
from cloud.work.tree_heads.tables import evidence_tree_nodes, tree_heads

ROWS = 200
DELETED = 60
_TEXT_BYTES = (10, 10, 10, 40, 40, 40, 40, 40, 40, 400)
"""Halves of the lengths of texts. A tenth of the texts is long, so that many tables have overflow pages."""

_KEPT = (evidence, evidence_ends, evidence_records, evidence_tree_nodes, tree_heads)
"""Tables whose triggers refuse to delete rows."""
# Columns that stay NULL, because a CHECK relates their values to another column.
_EMPTY = {"devices.merged_into", "assignments.until_us"}


def fill(path: Path, seed: int = 1) -> None:
    """Insert 200 rows of random values into every table, then delete 60 of them. Foreign keys are not checked."""
    chance = random.Random(seed)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("BEGIN")
        load_tables()
        for table in metadata.sorted_tables:
            _fill(connection, table, chance)
        connection.execute("COMMIT")
        connection.execute("BEGIN")
        for table in metadata.sorted_tables:
            if table in _KEPT:
                continue
            connection.execute(
                f"DELETE FROM {table.name} WHERE rowid IN (SELECT rowid FROM {table.name} LIMIT {DELETED})"  # noqa: S608
            )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


def _fill(connection: sqlite3.Connection, table: Table, chance: random.Random) -> None:
    columns = {column.name: str(column.type) for column in table.columns}
    allowed = _allowed_by_checks(connection, table.name)
    rows = [
        [
            None if f"{table.name}.{name}" in _EMPTY else allowed.get(name) or _value(kind, number, chance)
            for name, kind in columns.items()
        ]
        for number in range(1, ROWS + 1)
    ]
    marks = ", ".join("?" * len(columns))
    connection.executemany(f"INSERT OR IGNORE INTO {table.name} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608
    (count,) = connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()  # noqa: S608
    assert count >= ROWS, f"{table.name} takes no such rows"


def _allowed_by_checks(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """Map each column that has a constraint `CHECK (column IN ('a', …))` to the first allowed value."""
    (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    allowed = {}
    for part in str(sql).split("CHECK")[1:]:
        words = part.replace("(", " ").replace(")", " ").replace("'", " ").replace(",", " ").split()
        if len(words) > 2 and words[1].upper() == "IN":
            allowed[words[0]] = words[2]
    return allowed


def _value(kind: str, number: int, chance: random.Random) -> Any:
    if kind.startswith(("BLOB", "LARGE")):
        return chance.randbytes(40)
    if kind.startswith("BOOL"):
        return number % 2
    if kind.startswith(("FLOAT", "DOUBLE", "NUM")):
        return chance.random()
    if kind.startswith(("TEXT", "VARCHAR")):
        return f"{number:06}-{chance.randbytes(chance.choice(_TEXT_BYTES)).hex()}"
    return number


def parts_of(path: Path) -> dict[str, list[int]]:
    """Map each table and index to its page numbers, without overflow pages. The entry "schema" has the pages of the
    schema, and "free pages" the first trunk page of the free list."""
    connection = sqlite3.connect(path)
    try:
        parts: dict[str, list[int]] = {}
        for name, page in connection.execute("SELECT name, pageno FROM dbstat WHERE pagetype <> 'overflow'"):
            parts.setdefault("schema" if name == "sqlite_schema" else str(name), []).append(int(page))
    finally:
        connection.close()
    trunk = int.from_bytes(path.read_bytes()[32:36])
    assert trunk, "there are free pages"
    parts["free pages"] = [trunk]
    return parts
