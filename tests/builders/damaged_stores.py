"""Stores with the damage that disks and people cause."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.buffer.rows import position_of
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import connected, numerics, section, waveform
from tests.builders.buffer_store import new_store, opened
from tests.harness.eventually import until

PAGE_BYTES = 4096


async def filled_store(folder: Path, *, batches: int = 40) -> Path:
    """Store numerics, waveforms and events on several pages each, none of it acknowledged."""
    path = new_store(folder)
    async with opened(path) as buffer:
        for n in range(batches):
            await buffer.append_sections([section(numerics(40, first=10.0 * n) + waveform(1, samples=1000))])
            await buffer.append_event(connected())
    return path


def overwrite(path: Path, offset: int, content: bytes) -> None:
    """Write `content` at `offset`."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def flip(path: Path, offset: int, generator: random.Random, *, count: int = 8) -> None:
    """Change `count` bytes from `offset`."""
    with path.open("r+b") as file:
        file.seek(offset)
        before = file.read(count)
        file.seek(offset)
        file.write(bytes(byte ^ generator.randrange(1, 256) for byte in before))


def leaf_page_of(path: Path, lane: Lane) -> int:
    """Return the number of a page with rows in the middle of a lane: the deepest page above its middle row."""
    with closing(sqlite3.connect(path)) as connection:
        last = connection.execute(
            "SELECT max(position) FROM batches WHERE position BETWEEN ? AND ?",
            (position_of(lane, 0), position_of(lane, 1 << 40)),
        ).fetchone()[0]
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'batches'").fetchone()[0]
        # Beside a gateway that is writing, the log is in use now and then; the page must lie in the file.
        until(lambda: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    middle = position_of(lane, max(1, (last - position_of(lane, 0)) // 2))
    content = path.read_bytes()
    page = root
    while (begin := (page - 1) * PAGE_BYTES) >= 0 and content[begin] == 0x05:
        page = _child(content, begin, middle)
    assert content[begin] == 0x0D, "a leaf of a table"
    return page


def _child(content: bytes, begin: int, rowid: int) -> int:
    """Return the page below an interior page that holds `rowid` (SQLite's file format, 1.6)."""
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
