"""Gateway stores with the kinds of damage that failing disks and people cause."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.buffer.database import PAGE_BYTES
from gateway.buffer.rows import position_of
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import connected, numerics, section, waveform
from tests.builders.buffer_store import new_store, opened
from tests.harness.eventually import until


async def filled_store(folder: Path, *, batches: int = 40) -> Path:
    """Create a store with several pages each of numerics, waveforms and events, all unacknowledged; return its path."""
    path = new_store(folder)
    async with opened(path) as buffer:
        for n in range(batches):
            await buffer.append_sections([section(numerics(40, first=10.0 * n) + waveform(1, samples=1000))])
            await buffer.append_event(connected())
    return path


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def flip(path: Path, offset: int, generator: random.Random, *, count: int = 8) -> None:
    """Change each of `count` bytes of the file, from `offset` on, to a different random value."""
    with path.open("r+b") as file:
        file.seek(offset)
        before = file.read(count)
        file.seek(offset)
        file.write(bytes(byte ^ generator.randrange(1, 256) for byte in before))


def damage_leaf_page(path: Path, lane: Lane, content: bytes = bytes(PAGE_BYTES)) -> None:
    """Write `content` over the beginning of the leaf page that holds the middle row of a lane (one of the store's
    queues).

    A gateway may be using the store. To prevent a connection from undoing the damage, the write happens while the
    write-ahead log is empty and writers are locked out. The commit afterwards makes every connection discard its cached
    pages.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        until(lambda: _holds_alone(connection, path), what="a store whose log is empty")
        page = _leaf_page(connection, path, lane)
        overwrite(path, (page - 1) * PAGE_BYTES, content)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")


def _holds_alone(connection: sqlite3.Connection, path: Path) -> bool:
    """Begin a transaction that locks out other writers, and return True. If the write-ahead log is not empty, return
    False without a transaction."""
    if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] != 0:
        return False
    connection.execute("BEGIN IMMEDIATE")
    if path.with_name(path.name + "-wal").stat().st_size == 0:
        return True
    connection.execute("ROLLBACK")
    return False


def _leaf_page(connection: sqlite3.Connection, path: Path, lane: Lane) -> int:
    last = connection.execute(
        "SELECT max(position) FROM batches WHERE position BETWEEN ? AND ?",
        (position_of(lane, 0), position_of(lane, 1 << 40)),
    ).fetchone()[0]
    root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'batches'").fetchone()[0]
    middle = position_of(lane, max(1, (last - position_of(lane, 0)) // 2))
    content = path.read_bytes()
    page = int(root)
    while content[begin := (page - 1) * PAGE_BYTES] == 0x05:
        page = _child(content, begin, middle)
    assert content[begin] == 0x0D, "a leaf of a table"
    return page


def _child(content: bytes, begin: int, rowid: int) -> int:
    """Return the number of the child page that holds `rowid`, given the offset `begin` of an interior table page
    (SQLite's file format, section 1.6)."""
    cells = int.from_bytes(content[begin + 3 : begin + 5], "big")
    for number in range(cells):
        at = begin + int.from_bytes(content[begin + 12 + 2 * number : begin + 14 + 2 * number], "big")
        key, at_key = 0, at + 4
        for step in range(9):
            byte = content[at_key]
            at_key += 1
            if step == 8:
                key = key << 8 | byte
                break
            key = key << 7 | byte & 0x7F
            if not byte & 0x80:
                break
        if rowid <= key:
            return int.from_bytes(content[at : at + 4], "big")
    return int.from_bytes(content[begin + 8 : begin + 12], "big")
