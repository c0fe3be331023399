"""The layout of one report APDU: which bytes are fields, which may vary, and which are constant.

A layout is collected while the APDU is read, and becomes a `struct` format over the whole APDU. A later report of the
same layout is recognised by its constant bytes and unpacked in one call (`report_run`).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from protocols.reader import Reader


class Field(NamedTuple):
    """Bytes that differ from report to report: their offset, length, and format code for `struct`."""

    at: int
    octets: int
    code: str


class LayoutColumns(NamedTuple):
    """A finished layout: the `struct` format, the constant columns as (column, bytes), and the column of each field."""

    layout: str
    constants: tuple[tuple[int, bytes], ...]
    columns: dict[Field, int]


@dataclass(slots=True)
class Layout:
    """A layout that is being collected. All bytes are constant, except fields and bytes that are marked as varying."""

    _fields: dict[Field, None] = field(default_factory=dict)
    """An ordered set: a hostile report has ten thousand, so linear searches are excluded."""
    _skipped: list[tuple[int, int]] = field(default_factory=list)

    def add(self, found: Field) -> None:
        self._fields[found] = None

    def skip(self, reader: Reader) -> None:
        """Read the rest of `reader`. Mark these bytes as varying between reports of this layout."""
        if reader.remaining:
            self._skipped.append((reader.at, reader.remaining))
            reader.rest()

    def cut(self, found: Field, size: int) -> Field:
        """Shorten a field of bytes by `size` bytes, mark the removed bytes as varying, and return the new field."""
        kept = found.octets - size
        whole = Field(found.at, kept, f"{kept}s")
        del self._fields[found]
        self.add(whole)
        self._skipped.append((whole.at + kept, size))
        return whole

    def finished(self, apdu: bytes) -> LayoutColumns:
        """Return the finished layout of `apdu`. A field of zero bytes also has a column, in front of the column of the
        bytes at the same offset."""
        pieces = [*self._fields, *(Field(at, data, "") for at, data in self._skipped)]
        layout: list[str] = [">"]
        constants: list[tuple[int, bytes]] = []
        columns: dict[Field, int] = {}
        at = column = 0
        for piece in [*sorted(pieces), Field(len(apdu), 0, "")]:
            if piece.at > at:
                constants.append((column, apdu[at : piece.at]))
                layout.append(f"{piece.at - at}s")
                column += 1
            if piece.code:
                columns[piece] = column
                column += 1
            layout.append(piece.code or f"{piece.octets}x")
            at = piece.at + piece.octets
        return LayoutColumns("".join(layout), tuple(constants), columns)
