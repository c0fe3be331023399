"""The kind of each page in a store, read from SQLite's file format, so that a test can choose what to damage."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from gateway.buffer.database import PAGE_BYTES
from gateway.buffer.rows import LANES, SEQUENCE_BITS
from gateway.buffer.salvage import local_bytes, varint
from protocols.uplink.lanes import Lane

_TABLE_INTERIOR, _TABLE_LEAF = 0x05, 0x0D


@dataclass(slots=True)
class Pages:
    """The page numbers of a store, one list for each kind of page; `leaves` maps each lane to the leaf pages of its
    batches."""

    leaves: dict[Lane, list[int]] = field(default_factory=dict)
    overflow: list[int] = field(default_factory=list)
    interior: list[int] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    small_tables: list[int] = field(default_factory=list)
    free: list[int] = field(default_factory=list)


def pages_of(path: Path) -> Pages:
    """Return the pages of a store by kind. A checkpoint must have written the store's write-ahead log to the database
    file."""
    content = path.read_bytes()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage").fetchall())
    found = Pages(free=list(_free(content)))
    _walk(content, roots.pop("batches"), found)
    found.index.append(roots.pop("gaps_by_position"))
    found.small_tables += roots.values()
    return found


def _page(content: bytes, number: int) -> bytes:
    return content[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]


def _cells(page: bytes, head: int) -> Iterator[int]:
    for number in range(int.from_bytes(page[3:5], "big")):
        yield int.from_bytes(page[head + 2 * number : head + 2 * number + 2], "big")


def _walk(content: bytes, number: int, found: Pages) -> None:
    page = _page(content, number)
    if page[0] == _TABLE_INTERIOR:
        found.interior.append(number)
        for at in _cells(page, 12):
            _walk(content, int.from_bytes(page[at : at + 4], "big"), found)
        _walk(content, int.from_bytes(page[8:12], "big"), found)
        return
    assert page[0] == _TABLE_LEAF
    for at in _cells(page, 8):
        length, behind = varint(page, at)
        rowid, behind = varint(page, behind)
        lane = LANES[rowid >> SEQUENCE_BITS]
        if number not in found.leaves.setdefault(lane, []):
            found.leaves[lane].append(number)
        local = local_bytes(length, PAGE_BYTES)
        following = int.from_bytes(page[behind + local : behind + local + 4], "big") if local < length else 0
        while following:
            found.overflow.append(following)
            following = int.from_bytes(_page(content, following)[:4], "big")


def _free(content: bytes) -> Iterator[int]:
    trunk = int.from_bytes(content[32:36], "big")
    while trunk:
        yield trunk
        page = _page(content, trunk)
        for number in range(int.from_bytes(page[4:8], "big")):
            yield int.from_bytes(page[8 + 4 * number : 12 + 4 * number], "big")
        trunk = int.from_bytes(page[:4], "big")
