"""Encode columns of values as bytes that compress well, without loss.

A column of integers is written as the differences between neighbours, a column of floats as its 64-bit patterns. The
bytes of all values are regrouped by significance: first the lowest byte of every value, then the next one. The higher
bytes are mostly equal, so a compressor stores them in almost no space. Arithmetic is modulo 2^64, so every 64-bit value
is restored bit for bit. `body` decides which columns a row has.
"""

import struct
from collections.abc import Sequence
from itertools import accumulate
from operator import add, sub
from typing import TypeVar

import numpy as np

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
        differences = minus(column, (0, *column[:-1]))
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
        self._parts.append(_transposed(octets, width))


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
        return _within(list(accumulate([(one >> 1) ^ -(one & 1) for one in words])))

    def optional_integers(self, count: int) -> list[int | None]:
        held, present = self._present(count)
        return _spread(self.integers(held), present, count)

    def optional_floats(self, count: int) -> list[float | None]:
        held, present = self._present(count)
        values = struct.unpack(f"<{held}d", self._ungroup(held, _WORD_BYTES))
        return _spread(values, present, count)

    def optional_bytes(self, count: int) -> list[bytes | None]:
        held, present = self._present(count)
        lengths = self.integers(held)
        if not held:
            return [None] * count
        least = min(lengths)
        if least < 0:
            raise ColumnsUnreadable
        joined = self._ungroup(held, least) if least == max(lengths) else self._take(sum(lengths))
        ends = accumulate(lengths)
        values = [joined[end - length : end] for end, length in zip(ends, lengths, strict=True)]
        return _spread(values, present, count)

    def _present(self, count: int) -> tuple[int, Sequence[bool] | None]:
        """Return how many values a column has, and which ones; None: all or none."""
        kind = self._take(1)[0]
        if kind == _COMPLETE:
            return count, None
        if kind == _ABSENT:
            return 0, None
        if kind != _MIXED:
            raise ColumnsUnreadable
        present = [bool(octet) for octet in self._take(count)]
        return sum(present), present

    def _ungroup(self, count: int, width: int) -> bytes:
        return _transposed(self._take(count * width), count)

    def _take(self, length: int) -> bytes:
        taken = self._octets[self._at : self._at + length]
        if len(taken) != length:
            raise ColumnsUnreadable
        self._at += length
        return taken


def plus(column: Sequence[int], other: Sequence[int]) -> list[int]:
    """Return the sums of two columns of 64-bit integers, modulo 2^64."""
    return _within(list(map(add, column, other)))


def minus(column: Sequence[int], other: Sequence[int]) -> list[int]:
    """Return the differences of two columns of 64-bit integers, modulo 2^64."""
    return _within(list(map(sub, column, other)))


def _within(column: list[int]) -> list[int]:
    """Return integers modulo 2^64. Nearly all columns have none that is too large, and the test of all is quick."""
    if not column or (min(column) >= -_SIGN and max(column) < _SIGN):
        return column
    return [((one + _SIGN) & _MASK) - _SIGN for one in column]


def _transposed(octets: bytes, width: int) -> bytes:
    """Return the bytes of a table with rows of `width` bytes, column by column."""
    if not octets:
        return b""
    return np.frombuffer(octets, np.uint8).reshape(-1, width).T.tobytes()


def _spread(values: Sequence[T], present: Sequence[bool] | None, count: int) -> list[T | None]:
    """Return the values at the places that are `present`, and None at the others."""
    if len(values) == count:
        return list(values)
    if present is None:
        return [None] * count
    rest = iter(values)
    return [next(rest) if there else None for there in present]
