"""The layout of one report APDU while it is read: bytes that are fields, bytes that may vary, bytes that are constant.

It becomes a `struct` format over the whole APDU, so that a later report of this layout is unpacked in one call and
recognised by its constant bytes (`report_run`). The meaning of the fields is not known here.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from protocols.reader import Reader


class Field(NamedTuple):
    """Bytes of a report that differ from report to report: offset, length and struct's letter."""

    at: int
    octets: int
    code: str


class LayoutColumns(NamedTuple):
    """A finished layout: the struct format, the constant columns (column, bytes), and each field's column."""

    layout: str
    constants: tuple[tuple[int, bytes], ...]
    columns: dict[Field, int]


@dataclass(slots=True)
class Layout:
    """The fields found so far; all bytes between them are constant, except those that may vary."""

    _fields: dict[Field, None] = field(default_factory=dict)
    """An ordered set: a hostile report has ten thousand, so linear searches are excluded."""
    _skipped: list[tuple[int, int]] = field(default_factory=list)

    def add(self, found: Field) -> None:
        """Add the bytes just read as a field."""
        self._fields[found] = None

    def skip(self, reader: Reader) -> None:
        """Mark the rest of `reader` as varying in reports of this layout."""
        if reader.remaining:
            self._skipped.append((reader.at, reader.remaining))
            reader.rest()

    def cut(self, found: Field, size: int) -> Field:
        """End a field of bytes that was added `size` earlier; those may vary."""
        kept = found.octets - size
        whole = Field(found.at, kept, f"{kept}s")
        del self._fields[found]
        self.add(whole)
        self._skipped.append((whole.at + kept, size))
        return whole

    def finished(self, apdu: bytes) -> LayoutColumns:
        """Return the layout over the APDU that it was read from. A zero-length field (an empty text) shares its offset
        with the constant after it, so it is placed before it."""
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
