"""The formats of a file: rows become the bytes of a part, and parts one after the other are the file.

A part has no state beside its rows, so that a part that is written again, after its process was killed, has the same
bytes.
"""

import csv
import io
from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from cloud.foundation.objects import PART_BYTES, Download
from cloud.work.exports.columns import COLUMNS, Column, Kind
from cloud.work.exports.nemsis_archive import NemsisFormat
from cloud.work.exports.schemas import ExportData, ExportFormat
from protocols.observation_record import utc_text

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Part(Protocol):
    """A part of a file, to which rows are added until it is full."""

    @property
    def is_full(self) -> bool: ...

    @property
    def is_empty(self) -> bool: ...

    def add(self, page: Any) -> None:
        """Add the rows of a page: JSON lines, the columns of a table (`FileFormat.is_table`), or a report."""
        ...

    def encoded(self, *, first: bool, at_bytes: int) -> tuple[bytes, bytes | None]:
        """Return the bytes of the part, which begins at the byte `at_bytes` of the file, and what the end of the file
        needs of the part (None: nothing). `first`: it begins the file. Takes up to some tenths of a second, so it runs
        in a thread."""
        ...


class FileFormat(Protocol):
    """The format of a file."""

    download: Download
    is_table: bool

    def part(self) -> Part: ...

    def end(self, details: Sequence[bytes], *, at_bytes: int) -> bytes:
        """Return the end of the file from the details of its parts. Takes up to some seconds for thousands of parts, so
        it runs in a thread."""
        ...


def format_of(wanted: ExportFormat, data: ExportData) -> FileFormat:
    """Return the format of a file with these data."""
    match wanted:
        case ExportFormat.CSV:
            return CsvFormat(data)
        case ExportFormat.PARQUET:
            # Imported here: pyarrow takes 60 MB, and few workers write this format.
            from cloud.work.exports.parquet import ParquetFormat

            return ParquetFormat(data)
        case ExportFormat.NEMSIS:
            return NemsisFormat()
        case ExportFormat.FHIR_NDJSON:
            return LinesFormat(Download("application/fhir+ndjson", f"{data}.fhir.ndjson"))
        case _:
            return LinesFormat(Download("application/x-ndjson", f"{data}.ndjson"))


class LinesFormat:
    """A file of JSON lines."""

    is_table = False

    def __init__(self, download: Download) -> None:
        self.download = download

    def part(self) -> "LinesPart":
        return LinesPart()

    def end(self, _details: Sequence[bytes], *, at_bytes: int) -> bytes:
        return b""


class LinesPart:
    """A part of a file of lines."""

    def __init__(self) -> None:
        self._texts: list[bytes] = []
        self._size = 0

    @property
    def is_full(self) -> bool:
        return self._size >= PART_BYTES

    @property
    def is_empty(self) -> bool:
        return not self._texts

    def add(self, page: Any) -> None:
        if page:
            self.append("\n".join((*page, "")).encode())

    def append(self, text: bytes) -> None:
        self._texts.append(text)
        self._size += len(text)

    def encoded(self, *, first: bool, at_bytes: int) -> tuple[bytes, None]:
        return b"".join(self._texts), None


class CsvFormat:
    """A file of comma-separated values (RFC 4180), with the names of the columns in the first line."""

    is_table = True

    def __init__(self, data: ExportData) -> None:
        self.download = Download("text/csv; charset=utf-8; header=present", f"{data}.csv")
        self._columns = COLUMNS[data]

    def part(self) -> "CsvPart":
        return CsvPart(self._columns)

    def end(self, _details: Sequence[bytes], *, at_bytes: int) -> bytes:
        return b"" if at_bytes else _csv_lines([[column.name for column in self._columns]])


class CsvPart(LinesPart):
    """A part of a file of comma-separated values."""

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        self._columns = columns

    def add(self, page: Any) -> None:
        cells = [_cells(column, values) for column, values in zip(self._columns, page, strict=True)]
        if cells[0]:
            self.append(_csv_lines(zip(*cells, strict=True)))

    def encoded(self, *, first: bool, at_bytes: int) -> tuple[bytes, None]:
        text, _ = super().encoded(first=first, at_bytes=at_bytes)
        return (_csv_lines([[column.name for column in self._columns]]) + text if first else text), None


def _csv_lines(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cells(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    """Return the cells of a column. A list is JSON, a truth value `true` or `false`, NULL an empty cell. A text that a
    spreadsheet would take for a formula gets an apostrophe in front."""
    match column.kind:
        case Kind.MOMENT:
            return [None if value is None else utc_text(value) for value in values]
        case Kind.FLAG:
            return [None if value is None else "true" if value else "false" for value in values]
        case Kind.TEXTS | Kind.WHOLES:
            return [orjson.dumps(value).decode() if value else None for value in values]
        case Kind.TEXT:
            return [f"'{value}" if value is not None and value.startswith(_FORMULA) else value for value in values]
        case _:
            return values
