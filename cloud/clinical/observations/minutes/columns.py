"""Encode columns of values as bytes that compress well, without loss.

A column of integers is written as the differences between neighbours, a column of floats as its 64-bit patterns. The
bytes of all values are regrouped by significance: first the lowest byte of every value, then the next one. The higher
bytes are mostly equal, so a compressor stores them in almost no space. Arithmetic is modulo 2^64, so every 64-bit value
is restored bit for bit. `body` decides which columns a row has.
"""

import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1
_SIGN = 1 << 63
_WORD_BYTES = 8
_CONSTANT, _VARIED = 0, 1
_ABSENT, _COMPLETE, _MIXED = 0, 1, 2


class ColumnsUnreadable(Exception):
    """The bytes are not the columns of a row, so they were changed or damaged."""


class ColumnWriter:
    """Writes columns one after the other. All have the same number of values, which is not written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def take(self) -> bytes:
        return b"".join(self._parts)

    def integers(self, column: Sequence[int]) -> None:
        """Write integers of 64 bits with a sign."""
        if not column or column.count(column[0]) == len(column):
            self._parts.append(struct.pack("<Bq", _CONSTANT, column[0] if column else 0))
            return
        pairs = zip(column, (0, *column), strict=False)
        differences = [((value - before + _SIGN) & _MASK) - _SIGN for value, before in pairs]
        # Small negative differences become small numbers too: 0, -1, 1, -2 → 0, 1, 2, 3.
        words = [(one << 1) ^ (one >> 63) for one in differences]
        self._parts.append(bytes((_VARIED,)))
        self._regroup(struct.pack(f"<{len(words)}Q", *words), _WORD_BYTES)

    def optional_integers(self, column: Sequence[int | None]) -> None:
        self.integers(self._present(column))

    def optional_floats(self, column: Sequence[float | None]) -> None:
        present = self._present(column)
        self._regroup(struct.pack(f"<{len(present)}d", *present), _WORD_BYTES)

    def optional_bytes(self, column: Sequence[bytes | None]) -> None:
        present = self._present(column)
        lengths = [len(one) for one in present]
        self.integers(lengths)
        joined = b"".join(present)
        if lengths and min(lengths) == max(lengths):
            self._regroup(joined, lengths[0])
        else:
            self._parts.append(joined)

    def _present(self, column: Sequence[T | None]) -> list[T]:
        """Write which values of the column exist, and return these."""
        present = [one for one in column if one is not None]
        if len(present) == len(column):
            self._parts.append(bytes((_COMPLETE,)))
        elif not present:
            self._parts.append(bytes((_ABSENT,)))
        else:
            self._parts.append(bytes((_MIXED, *(one is not None for one in column))))
        return present

    def _regroup(self, octets: bytes, width: int) -> None:
        self._parts += [octets[place::width] for place in range(width)]


class ColumnReader:
    """Reads the columns that a `ColumnWriter` wrote. Raises `ColumnsUnreadable` for any other bytes."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def end(self) -> None:
        if self._at != len(self._octets):
            raise ColumnsUnreadable

    def integers(self, count: int) -> list[int]:
        kind = self._take(1)[0]
        if kind == _CONSTANT:
            (value,) = struct.unpack("<q", self._take(_WORD_BYTES))
            return [value] * count
        if kind != _VARIED:
            raise ColumnsUnreadable
        words = struct.unpack(f"<{count}Q", self._ungroup(count, _WORD_BYTES))
        sums = accumulate([(one >> 1) ^ -(one & 1) for one in words])
        return [((one + _SIGN) & _MASK) - _SIGN for one in sums]

    def optional_integers(self, count: int) -> list[int | None]:
        present = self._present(count)
        return _spread(self.integers(sum(present)), present)

    def optional_floats(self, count: int) -> list[float | None]:
        present = self._present(count)
        held = sum(present)
        values = struct.unpack(f"<{held}d", self._ungroup(held, _WORD_BYTES))
        return _spread(values, present)

    def optional_bytes(self, count: int) -> list[bytes | None]:
        present = self._present(count)
        lengths = self.integers(sum(present))
        if any(length < 0 for length in lengths):
            raise ColumnsUnreadable
        if lengths and min(lengths) == max(lengths):
            joined = self._ungroup(len(lengths), lengths[0])
        else:
            joined = self._take(sum(lengths))
        ends = list(accumulate(lengths))
        values = [joined[end - length : end] for end, length in zip(ends, lengths, strict=True)]
        return _spread(values, present)

    def _present(self, count: int) -> Sequence[bool]:
        kind = self._take(1)[0]
        if kind in (_ABSENT, _COMPLETE):
            return [kind == _COMPLETE] * count
        if kind != _MIXED:
            raise ColumnsUnreadable
        return [bool(octet) for octet in self._take(count)]

    def _ungroup(self, count: int, width: int) -> bytes:
        grouped = self._take(count * width)
        octets = bytearray(len(grouped))
        for place in range(width):
            octets[place::width] = grouped[place * count : (place + 1) * count]
        return bytes(octets)

    def _take(self, length: int) -> bytes:
        taken = self._octets[self._at : self._at + length]
        if len(taken) != length:
            raise ColumnsUnreadable
        self._at += length
        return taken


def _spread(values: Sequence[T], present: Sequence[bool]) -> list[T | None]:
    """Return the values at the places that are `present`, and None at the others."""
    if len(values) == len(present):
        return list(values)
    rest = iter(values)
    return [next(rest) if there else None for there in present]
