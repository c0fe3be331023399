"""Parquet files, a row group for each part.

pyarrow writes each row group as a file of its own, and its metadata are kept apart, with the offsets that the row group
has in the whole file; the metadata of all are the end of the file. So an export that resumes needs the metadata of the
earlier row groups, some kilobytes each, and not their values. pyarrow cannot continue a file itself.
"""

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cloud.foundation.objects import Download
from cloud.work.exports.columns import COLUMNS, Column, Kind
from cloud.work.exports.schemas import ExportData
from cloud.work.exports.thrift import I64, LIST, Reader, Struct, Typed, list_bytes, struct_bytes

MAGIC = b"PAR1"
ROWS_MAX = 50_000
"""Rows of a row group: some megabytes, a tenth of a second to encode them, and 16 MB of memory until it is written."""
BATCH_BYTES_MAX = 32 << 20
"""Size of the values in memory at which a row group ends before `ROWS_MAX`: those of waveforms are long."""

# Numbers of the fields in the definition of the format (parquet.thrift).
_ROWS_OF_FILE, _ROW_GROUPS = 3, 4
_COLUMNS, _ROWS_OF_GROUP, _GROUP_OFFSET, _ORDINAL = 1, 3, 5, 7
_METADATA, _CHUNK_OFFSETS = 3, (2, 4, 6)  # of a column: its metadata, and those of its indexes
_PAGE_OFFSETS = (9, 10, 11, 14)  # of data pages, index pages, the dictionary and the Bloom filter

_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.WHOLE: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.FLAG: pa.bool_(),
    Kind.MOMENT: pa.timestamp("us", tz="UTC"),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.WHOLES: pa.list_(pa.int64()),
}
_POOL = pa.system_memory_pool()
# The pool of pyarrow's default keeps freed memory, which the worker's other jobs could not use.
pa.set_memory_pool(_POOL)


class ParquetFormat:
    """A Parquet file, compressed by Zstandard."""

    is_table = True

    def __init__(self, data: ExportData) -> None:
        self.download = Download("application/vnd.apache.parquet", f"{data}.parquet")
        self._columns = COLUMNS[data]
        self._schema = pa.schema([pa.field(column.name, _TYPES[column.kind]) for column in self._columns])

    def part(self) -> "ParquetPart":
        return ParquetPart(self._columns, self._schema)

    def end(self, details: Sequence[bytes], *, at_bytes: int) -> bytes:
        _, footer = _split(_written(self._schema.empty_table()))
        rows = sum(Reader(one).struct()[_ROWS_OF_GROUP].value for one in details)
        footer[_ROWS_OF_FILE] = Typed(I64, rows)
        footer[_ROW_GROUPS] = Typed(LIST, list_bytes(details))
        text = struct_bytes(footer)
        return (b"" if at_bytes else MAGIC) + text + len(text).to_bytes(4, "little") + MAGIC


class ParquetPart:
    """A row group."""

    def __init__(self, columns: Sequence[Column], schema: Any) -> None:
        self._columns = columns
        self._schema = schema
        self._batches: list[Any] = []
        self._rows = self._size = 0

    @property
    def is_full(self) -> bool:
        return self._rows >= ROWS_MAX or self._size >= BATCH_BYTES_MAX

    @property
    def is_empty(self) -> bool:
        return not self._rows

    def add(self, page: Any) -> None:
        arrays = [pa.array(values, _TYPES[column.kind]) for column, values in zip(self._columns, page, strict=True)]
        batch = pa.record_batch(arrays, schema=self._schema)
        self._batches.append(batch)
        self._rows += batch.num_rows
        self._size += batch.nbytes

    def encoded(self, *, first: bool, at_bytes: int) -> tuple[bytes, bytes]:
        pages, footer = _split(_written(pa.Table.from_batches(self._batches, self._schema)))
        _, (row_group,) = footer[_ROW_GROUPS].value
        _shift(row_group, 0 if first else at_bytes - len(MAGIC))
        return MAGIC + pages if first else pages, struct_bytes(row_group)


def _written(table: Any) -> bytes:
    """Return a Parquet file with the rows of a table as one row group."""
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
        if table.num_rows:
            writer.write_table(table, row_group_size=table.num_rows)
    return sink.getvalue()


def _split(file: bytes) -> tuple[bytes, Struct]:
    """Return the pages of a file and its metadata."""
    length = int.from_bytes(file[-8:-4], "little")
    return file[len(MAGIC) : -8 - length], Reader(file[-8 - length : -8]).struct()


def _shift(row_group: Struct, offset: int) -> None:
    """Add an offset to the positions of a row group. Its number among the row groups, which is optional, is removed."""
    row_group.pop(_ORDINAL, None)
    _add(row_group, (_GROUP_OFFSET,), offset)
    _, columns = row_group[_COLUMNS].value
    for column in columns:
        _add(column, _CHUNK_OFFSETS, offset)
        _add(column[_METADATA].value, _PAGE_OFFSETS, offset)


def _add(fields: Struct, numbers: Sequence[int], offset: int) -> None:
    for number in numbers:
        if number in fields and fields[number].value:  # 0: pyarrow does not state where the metadata of a column are
            fields[number].value += offset
