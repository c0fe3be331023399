"""Read the file of an import: its pieces, one after the other, as lines and rows.

A row is one line, in CSV too, so a line number names it, and a position in the file is a number of bytes. Each function
reads its bytes a limited number of times, whatever they are.
"""

import csv
from collections.abc import AsyncIterator, Sequence
from typing import get_origin

from pydantic import BaseModel

from cloud.foundation.http import BodyMalformed, read_json
from cloud.foundation.objects import ObjectStore, StoredObject
from cloud.work.jobs import JobFailure

LINE_BYTES_MAX = 1 << 16
"""Longest line. A profile with 32 names of 512 characters has at most this."""
LINES_MAX = 1_000_000
"""Lines of one file: the devices and encounters of a country."""
WINDOW_BYTES = 1 << 18
"""Bytes that are read at once: four of the longest lines, and a chunk of usual rows."""
BLOCK_BYTES = 1 << 20
"""Bytes of a sanctions list that are read at once."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LineMalformed(Exception):
    """A line is not a row. The text has no content of the line."""


def measure(data: bytes, open_bytes: int, lines: int) -> tuple[int, int]:
    """Return the number of lines and the bytes of the unfinished last one, after a further piece of a file that had
    `lines` lines with `open_bytes` in the last one. Raises `JobFailure` for a line or a file that is too long."""
    began = lines if open_bytes else lines + 1  # the number of the line in which the piece begins
    if began + data.count(b"\n") - data.endswith(b"\n") > LINES_MAX:  # before the lines take memory
        raise JobFailure("file_too_long", f"The file has more than {LINES_MAX} lines. Divide it. Nothing was imported.")
    first, *more = data.split(b"\n")
    lengths = [open_bytes + len(first), *map(len, more)]
    longest = max(lengths)
    if longest > LINE_BYTES_MAX:
        sentence = f"Line {began + lengths.index(longest)} has more than {LINE_BYTES_MAX} bytes."
        raise JobFailure("line_too_long", f"{sentence} Nothing was imported.")
    return began + len(more) - (lengths[-1] == 0), lengths[-1]


async def read_window(objects: ObjectStore, pieces: Sequence[StoredObject], offset: int) -> bytes:
    """Return at most `WINDOW_BYTES` bytes of the file from the byte `offset` on. Raises `ObjectMissing`."""
    window = bytearray()
    for piece in pieces:
        if offset < piece.size_bytes and len(window) < WINDOW_BYTES:
            count = min(piece.size_bytes - offset, WINDOW_BYTES - len(window))
            window += await objects.read_range(piece.name, offset, count)
        offset = max(0, offset - piece.size_bytes)
    return bytes(window)


async def blocks(objects: ObjectStore, pieces: Sequence[StoredObject]) -> AsyncIterator[bytes]:
    """Yield the bytes of the file. Raises `ObjectMissing`."""
    for piece in pieces:
        for first in range(0, piece.size_bytes, BLOCK_BYTES):
            yield await objects.read_range(piece.name, first, min(BLOCK_BYTES, piece.size_bytes - first))


def whole_lines(window: bytes, *, is_end: bool, count: int) -> tuple[list[bytes], int]:
    """Return at most `count` lines that are whole in the window, and their bytes with the line ends. `is_end`: the file
    ends with the window."""
    lines: list[bytes] = []
    begin = 0
    while len(lines) < count and begin < len(window):
        end = window.find(b"\n", begin)
        if end < 0 and not is_end:
            break
        behind = len(window) if end < 0 else end + 1
        lines.append(window[begin:behind].rstrip(b"\r\n"))
        begin = behind
    return lines, begin


def without_mark(line: bytes) -> bytes:
    """Return the first line of a file without the byte order mark that spreadsheets write."""
    return line.removeprefix(_BYTE_ORDER_MARK)


def read_header(line: bytes, model: type[BaseModel]) -> tuple[str, ...]:
    """Return the columns of a file of CSV: fields of the model, each at most once. Raises `JobFailure`."""
    try:
        columns = tuple(_cells(without_mark(line)))
    except LineMalformed:
        columns = ()
    if not columns or len(set(columns)) < len(columns) or not set(columns) <= set(model.model_fields):
        known = ", ".join(model.model_fields)
        raise JobFailure("csv_header_unknown", f"The first line must name columns among {known}, each once.")
    return columns


def read_row(line: bytes, columns: Sequence[str] | None, model: type[BaseModel]) -> dict[str, object]:
    """Return a line as the fields of a row: of CSV with these columns, or of JSON if `columns` is None. In CSV an empty
    cell is an absent field, and the values of a list are divided by semicolons. Raises `LineMalformed`."""
    if columns is None:
        try:
            return read_json(line)
        except BodyMalformed as error:
            raise LineMalformed(f"The line is not a row in JSON. {error.detail}".rstrip()) from None
    cells = _cells(line)
    if len(cells) != len(columns):
        raise LineMalformed("The line has not as many cells as the header.")
    return {
        name: cell.split(";") if get_origin(model.model_fields[name].annotation) is tuple else cell
        for name, cell in zip(columns, cells, strict=True)
        if cell
    }


def _cells(line: bytes) -> list[str]:
    """Return the cells of one line of CSV (RFC 4180). A cell has at most 131 072 characters, the limit of the `csv`
    module, which no line can reach."""
    try:
        text = line.decode()
        (cells,) = csv.reader([text], strict=True)
    except (UnicodeDecodeError, csv.Error, ValueError):  # ValueError: the line has no record
        raise LineMalformed("The line is not a record of CSV in UTF-8. A record is one line.") from None
    if "\x00" in text:
        raise LineMalformed("The line has a NUL.")
    return cells
