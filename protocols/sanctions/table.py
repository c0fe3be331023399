"""Read the rows of a foreign CSV file (RFC 4180, UTF-8) as hostile ones, in one pass."""

import codecs
import csv
from collections.abc import Iterable, Iterator

from protocols.sanctions.document import DOCUMENT_BYTES_MAX
from protocols.sanctions.entry import DocumentRefused

LINE_CHARACTERS_MAX = 1 << 16
"""Longest line. The longest line of a published list has about 3,000 characters."""
FIELDS_MAX = 64
"""Most fields of a row. The formats have at most twelve."""


def read_rows(pieces: Iterable[bytes]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not empty with the number of its first line. Raises `DocumentRefused`."""
    reader = csv.reader(_lines(pieces), strict=True)
    line = 1
    try:
        for row in reader:
            if len(row) > FIELDS_MAX:
                raise DocumentRefused(f"The row in line {line} has more than {FIELDS_MAX} fields.")
            if row and row != ["\x1a"]:  # OFAC ends its files with the end-of-file character of DOS
                yield line, [field.strip() for field in row]
            line = reader.line_num + 1
    except csv.Error:
        raise DocumentRefused(f"The row in line {line} is not well-formed CSV, or a field is too long.") from None


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines, each with its end."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
    rest: list[str] = []
    rest_length = total = 0
    try:
        for piece in pieces:
            total += len(piece)
            if total > DOCUMENT_BYTES_MAX:
                raise DocumentRefused(f"The file has more than {DOCUMENT_BYTES_MAX} bytes.")
            *complete, last = decoder.decode(piece).split("\n")
            for line in complete:
                yield "".join((*rest, line, "\n"))
                rest, rest_length = [], 0
            rest.append(last)
            rest_length += len(last)
            if rest_length > LINE_CHARACTERS_MAX:
                raise DocumentRefused(f"The file has a line of more than {LINE_CHARACTERS_MAX} characters.")
        rest.append(decoder.decode(b"", True))
    except UnicodeDecodeError:
        raise DocumentRefused("The file is not UTF-8. Convert it, and try again.") from None
    if any(rest):
        yield "".join(rest)
