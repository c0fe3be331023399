"""Rows of a damaged store, read from the pages of its file and of its log without SQLite.

SQLite cannot read past a damaged page. But a row can be checked alone: a row whose seal opens under the store's key,
gateway and epoch is what was written, wherever it was found. So every page is read as a leaf of a table (sections 1.6
and 2 of SQLite's file format), even where the page's header is lost. If a row continues on overflow pages, these pages
are read too.

There is one pass over the log, newest pages first, and one over the file (two of each where the page size is lost). The
number of rows searched for on a page is bounded, so the time is linear in the file's size. A row that is found may be
stale (from a free page): `recovery.py` decides which rows count.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from gateway.buffer.database import EARLIER_PAGE_BYTES, PAGE_BYTES
from gateway.buffer.rows import Misread, Row
from gateway.buffer.sealing import Sealer, Unsealable, key_check

ROW_BYTES_MAX = 4 << 20
"""Upper bound on the bytes of a row, since a batch must fit the broker's packet of 1 MiB. A larger length comes from a
damaged page and is ignored."""
CELL_BYTES_MIN = 48
"""Lower bound on the bytes that a row takes on its page, which bounds the number of rows searched for. Of a row with
overflow pages, a page of 512 bytes holds at least 39 bytes (`local_bytes`), the number of the overflow page (4), the
row's length (2), its row id (1), and a pointer (2). A row without overflow is longer: hashes and nonce have 88 bytes.
"""

_LEAF = 0x0D
_FILE_MAGIC = b"SQLite format 3\0"
_LOG_MAGICS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_FRAME_HEAD, _LOG_HEAD = 24, 32
_COLUMNS = 13
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)

Values = list[int | str | bytes | None]


class Salvage:
    """The pages of one store's file and log; a context manager that closes both. Where the headers that name the page
    size are lost, the pages are read in each size that a store can have: a row opens in one of them only."""

    def __init__(self, path: Path) -> None:
        self._files = ExitStack()
        file, log = self._open(path), self._open(path.with_name(path.name + "-wal"))
        self._readings = [_Pages(file, log, page_bytes) for page_bytes in _page_sizes(file, log)]

    def __enter__(self) -> "Salvage":
        return self

    def __exit__(self, *gone: object) -> None:
        self._files.close()

    def epoch(self, *, gateway: str, key: bytes) -> str | None:
        """Return the store's epoch (its id) from the row of the table `store`, searched for on all pages. Return None
        where no such row names `gateway` and matches `key`."""
        for pages in self._readings:
            for page in pages.images():
                for rowid, values in pages.cells(page, columns=5):
                    match values:
                        case [None, str(name), str(epoch), int(), bytes(check)] if rowid == 1 and name == gateway:
                            if check == key_check(key, gateway=gateway, epoch=epoch):
                                return epoch
        return None

    def rows(self, sealer: Sealer) -> Iterator[Row | None]:
        """Yield every row whose sealed payload `sealer` can open, newest log pages first. After each 4 KiB of pages
        yield None, so that the caller can pause."""
        for pages in self._readings:
            for number, page in enumerate(pages.images(), 1):
                for rowid, values in pages.cells(page, columns=_COLUMNS):
                    try:
                        row = Row.of([rowid, *values[1:]])
                        sealer.open(row.nonce, row.sealed, row)
                    except (Misread, Unsealable):
                        continue
                    yield row
                if number * pages.page_bytes % EARLIER_PAGE_BYTES == 0:
                    yield None

    def _open(self, path: Path) -> BinaryIO | None:
        with suppress(OSError):
            return self._files.enter_context(path.open("rb"))
        return None


def _page_sizes(file: BinaryIO | None, log: BinaryIO | None) -> tuple[int, ...]:
    """Return the page size that the header of the file or of its log names, or else all sizes that a store can have."""
    sizes = (PAGE_BYTES, EARLIER_PAGE_BYTES)
    named = []
    if file is not None and _at(file, 0, len(_FILE_MAGIC)) == _FILE_MAGIC:
        named.append(int.from_bytes(_at(file, 16, 2), "big"))
    if log is not None and _at(log, 0, 4) in _LOG_MAGICS:
        named.append(int.from_bytes(_at(log, 8, 4), "big"))
    return next(((size,) for size in named if size in sizes), sizes)


class _Pages:
    """The pages of a file and of its log, read with one page size."""

    def __init__(self, file: BinaryIO | None, log: BinaryIO | None, page_bytes: int) -> None:
        self._file, self._log, self.page_bytes = file, log, page_bytes
        self._frames: dict[int, int] = {}
        """Offset of the newest copy of each page in the log, by page number."""
        self._order = self._read_log()
        self._file_pages = 0 if file is None else -(-os.fstat(file.fileno()).st_size // page_bytes)

    def _read_log(self) -> list[int]:
        """Return the offsets of the log's present pages (frames with the salt of its header), newest first. Checksums
        are not verified: one damaged frame would hide all later frames, and each row has its own seal."""
        if self._log is None:
            return []
        size = os.fstat(self._log.fileno()).st_size
        salt = _at(self._log, 16, 8)
        frames = range(_LOG_HEAD, size - _FRAME_HEAD - self.page_bytes + 1, _FRAME_HEAD + self.page_bytes)
        heads = [(begin, _at(self._log, begin, _FRAME_HEAD)) for begin in frames]
        if heads and not any(head[8:16] == salt for _, head in heads):
            salt = heads[0][1][8:16]  # the log's own header is damaged
        order = []
        for begin, head in heads:
            if head[8:16] == salt:
                self._frames[int.from_bytes(head[:4], "big")] = begin + _FRAME_HEAD
                order.append(begin + _FRAME_HEAD)
        return order[::-1]

    def images(self) -> Iterator[bytes]:
        """Yield every page: those of the log, newest first, then those of the file."""
        for begin in self._order:
            assert self._log is not None
            yield _at(self._log, begin, self.page_bytes)
        for number in range(1, self._file_pages + 1):
            assert self._file is not None
            yield _at(self._file, (number - 1) * self.page_bytes, self.page_bytes)

    def _page(self, number: int) -> bytes:
        """Return the newest copy of a page, from the log or else from the file; b"" where neither holds the page."""
        frame = self._frames.get(number)
        if frame is not None and self._log is not None:
            return _at(self._log, frame, self.page_bytes)
        if self._file is None or not 1 <= number <= self._file_pages:
            return b""
        return _at(self._file, (number - 1) * self.page_bytes, self.page_bytes)

    # ---- cells

    def cells(self, page: bytes, *, columns: int) -> Iterator[tuple[int, Values]]:
        """Yield the row id and values of every record on the page that looks like a row with this number of columns."""
        begin = 100 if page.startswith(_FILE_MAGIC) else 0
        is_leaf = page[begin : begin + 1] == bytes([_LEAF])
        for number in range(self.page_bytes // CELL_BYTES_MIN):
            pointer = int.from_bytes(page[begin + 8 + 2 * number : begin + 10 + 2 * number], "big")
            # Cells follow the array of pointers to them; any other pointer shows that the array has ended.
            if not begin + 10 + 2 * number <= pointer < len(page):
                return
            cell = self._cell(page, pointer, columns)
            if cell is not None:
                yield cell
            elif not is_leaf and number == 0:
                return  # some other kind of page

    def _cell(self, page: bytes, at: int, columns: int) -> tuple[int, Values] | None:
        try:
            length, at = varint(page, at)
            rowid, at = varint(page, at)
            if not 0 < length <= ROW_BYTES_MAX:
                return None
            local = local_bytes(length, self.page_bytes)
            head = page[at : at + local]
            types = _serial_types(head, columns)
            if types is None:
                return None
            payload = head if local == length else self._with_overflow(page, at, local, length)
            return (rowid, _values(payload, types)) if len(payload) == length else None
        except (IndexError, UnicodeDecodeError):
            return None

    def _with_overflow(self, page: bytes, at: int, local: int, length: int) -> bytes:
        parts = [page[at : at + local]]
        have = local
        following = int.from_bytes(page[at + local : at + local + 4], "big")
        while have < length and following:
            overflow = self._page(following)
            part = overflow[4 : 4 + length - have]
            if not part:
                break
            parts.append(part)
            have += len(part)
            following = int.from_bytes(overflow[:4], "big")
        return b"".join(parts)


def _at(file: BinaryIO, begin: int, count: int) -> bytes:
    """Return `count` bytes of a file from the offset `begin`; b"" where the disk cannot read them."""
    try:
        return os.pread(file.fileno(), count, begin)
    except OSError:
        return b""


def varint(page: bytes, at: int) -> tuple[int, int]:
    """Return the SQLite variable-length integer at `at` and the offset after it. Raises IndexError if the page ends."""
    value = 0
    for step in range(8):
        byte = page[at + step]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + step + 1
    return value << 8 | page[at + 8], at + 9


def local_bytes(length: int, page_bytes: int) -> int:
    """Return how many of a row's `length` bytes are on its leaf page; the rest is on overflow pages. The formula is
    that of SQLite's file format, section 1.6, for pages without reserved bytes."""
    if length <= page_bytes - 35:
        return length
    least = (page_bytes - 12) * 32 // 255 - 23
    wanted = least + (length - least) % (page_bytes - 4)
    return wanted if wanted <= page_bytes - 35 else least


def _serial_types(head: bytes, columns: int) -> tuple[int, list[int]] | None:
    """Return the offset of the first value and all serial types (SQLite's file format, section 2.1). Return None when
    the bytes are not a row of this number of columns."""
    end, at = varint(head, 0)
    if not columns < end <= 9 * columns + 1 or end > len(head):
        return None
    types = []
    while at < end:
        kind, at = varint(head, at)
        types.append(kind)
    return (end, types) if at == end and len(types) == columns and types[0] == 0 else None


def _values(payload: bytes, types: tuple[int, list[int]]) -> Values:
    at, kinds = types
    values: Values = []
    for kind in kinds:
        if kind >= 12:
            size = (kind - 12) // 2
            found = payload[at : at + size]
            values.append(found.decode() if kind % 2 else found)
        else:
            size = _INTEGER_BYTES[kind] if kind < len(_INTEGER_BYTES) else 0
            values.append(_integer(kind, payload[at : at + size]))
        at += size
    return values


def _integer(kind: int, data: bytes) -> int | None:
    if kind in (8, 9):
        return kind - 8
    return int.from_bytes(data, "big", signed=True) if 1 <= kind <= 6 else None
