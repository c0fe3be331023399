"""Binary encoding of envelopes and observation blocks: a writer, and the one reader that checks all bounds.

Integers are little-endian, as on the machines of both sides, so a column is converted without a loop over its items.
Lengths and counts are LEB128 varints. A column is written byte plane by byte plane (the first byte of every item, then
the second byte of every item): neighbouring values share their high bytes, so compression at a cheap level finds
repetitions.
"""

import math
import struct
import sys
from array import array

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.uplink.limits import LimitExceeded

_I64 = struct.Struct("<q")
_VARINT_BYTES_MAX = 10
_BIG_ENDIAN_MACHINE = sys.byteorder == "big"
_OCTETS = tuple(bytes((number,)) for number in range(256))


class WireWriter:
    """Writer of encoded fields; `take()` returns them. Raises `LocalProtocolError` for values that do not fit."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def raw(self, data: bytes) -> None:
        self._parts.append(data)

    def u8(self, number: int) -> None:
        if not 0 <= number <= 0xFF:
            raise LocalProtocolError(f"{number} does not fit a byte")
        self._parts.append(_OCTETS[number])

    def varint(self, number: int) -> None:
        """Write an unsigned number below 2⁶⁴, seven bits in each byte, low bits first."""
        if 0 <= number <= 0x7F:
            self._parts.append(_OCTETS[number])
            return
        if not 0 <= number < 1 << 64:
            raise LocalProtocolError(f"{number} does not fit an unsigned 64-bit number")
        coded = bytearray()
        while number > 0x7F:
            coded.append(number & 0x7F | 0x80)
            number >>= 7
        coded.append(number)
        self._parts.append(bytes(coded))

    def i64(self, number: int) -> None:
        try:
            self._parts.append(_I64.pack(number))
        except struct.error as error:
            raise LocalProtocolError(f"{number} does not fit a signed 64-bit number") from error

    def blob(self, data: bytes, *, limit_bytes: int) -> None:
        if len(data) > limit_bytes:
            raise LocalProtocolError(f"{len(data)} bytes where at most {limit_bytes} are allowed")
        self.varint(len(data))
        self._parts.append(data)

    def text(self, text: str, *, limit_bytes: int) -> None:
        """Write the UTF-8 of `text`, preceded by its length in bytes."""
        try:
            self.blob(text.encode(), limit_bytes=limit_bytes)
        except UnicodeEncodeError as error:
            raise LocalProtocolError("a text holds half of a surrogate pair") from error

    def column(self, column: "array[int] | array[float]") -> None:
        """Write the items of `column`, byte plane by byte plane, without their count."""
        if _BIG_ENDIAN_MACHINE:
            column = column[:]
            column.byteswap()
        self.planes(column.tobytes(), column.itemsize)

    def floats(self, column: "array[float]") -> None:
        """Write finite doubles. Raises `LocalProtocolError` for an infinity or a NaN."""
        if not _all_finite(column):
            raise LocalProtocolError("a float that is not finite")
        self.column(column)

    def planes(self, data: bytes, width: int) -> None:
        """Write `data`, which consists of items of `width` bytes each, byte plane by byte plane."""
        if width == 1:
            self._parts.append(data)
        else:
            self._parts.extend([data[plane::width] for plane in range(width)])

    def take(self) -> bytes:
        return b"".join(self._parts)


class WireCheck(WireWriter):
    """Writer that raises the errors of a `WireWriter`, and leaves out the columns, which take most of its time."""

    __slots__ = ()

    def column(self, column: "array[int] | array[float]") -> None:
        pass

    def planes(self, data: bytes, width: int) -> None:
        pass


class WireReader:
    """Reader of `data` from its beginning. Every read is checked against the end of `data` and the caller's limit.
    Raises only `RemoteProtocolError`; its text quotes `clause`, the name of the encoding."""

    __slots__ = ("_at", "_clause", "_data", "_end")

    def __init__(self, data: bytes, *, clause: str) -> None:
        self._data = data
        self._end = len(data)
        self._at = 0
        self._clause = clause

    @property
    def rest_bytes(self) -> int:
        return self._end - self._at

    def wrong(self, reason: str) -> RemoteProtocolError:
        """Return the error for invalid bytes that end at the current position."""
        return RemoteProtocolError(reason, at=self._at, clause=self._clause)

    def over_limit(self, what: str, limit: int) -> LimitExceeded:
        return LimitExceeded(f"more than {limit} {what}", at=self._at, clause=self._clause)

    def take(self, count: int) -> bytes:
        begin = self._at
        end = begin + count
        if end > self._end:
            raise self.wrong(f"{count} bytes are due and {self.rest_bytes} are left")
        self._at = end
        return self._data[begin:end]

    def peek(self, count: int) -> bytes:
        """Return the next `count` bytes, or all that are left, without reading them."""
        return self._data[self._at : self._at + count]

    def skip(self, expected: bytes) -> bool:
        """Read the bytes `expected`. Return False, without reading, if other bytes are next."""
        if not self._data.startswith(expected, self._at):
            return False
        self._at += len(expected)
        return True

    def u8(self) -> int:
        at = self._at
        if at == self._end:
            raise self.wrong("1 bytes are due and 0 are left")
        self._at = at + 1
        return self._data[at]

    def varint(self, limit: int) -> int:
        """Read an unsigned number of at most `limit`."""
        at = self._at
        if at < self._end and (short := self._data[at]) < 0x80 and short <= limit:  # nearly all, without a further call
            self._at = at + 1
            return short
        octet = self.u8()
        number, shift = octet & 0x7F, 7
        while octet >= 0x80:
            if shift == 7 * _VARINT_BYTES_MAX:
                raise self.wrong("a number has more than ten bytes")
            octet = self.u8()
            number |= (octet & 0x7F) << shift
            shift += 7
        if number > limit:
            raise self.wrong(f"a number is above its limit of {limit}")
        return number

    def i64(self) -> int:
        number: int = _I64.unpack(self.take(8))[0]
        return number

    def blob(self, limit_bytes: int) -> bytes:
        return self.take(self.varint(limit_bytes))

    def text(self, limit_bytes: int) -> str:
        data = self.blob(limit_bytes)
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self.wrong("a text is not UTF-8") from None

    def column(self, typecode: str, count: int) -> "array[int]":
        """Read `count` integers of the `array` type `typecode` ("B", "H", "I" or "q")."""
        column: array[int] = array(typecode)
        column.frombytes(self.planes(count, column.itemsize))
        if _BIG_ENDIAN_MACHINE:
            column.byteswap()
        return column

    def floats(self, count: int) -> list[float]:
        """Read `count` finite doubles. Raises `RemoteProtocolError` for an infinity or a NaN."""
        column = array("d")
        column.frombytes(self.planes(count, 8))
        if _BIG_ENDIAN_MACHINE:
            column.byteswap()
        if not _all_finite(column):
            raise self.wrong("a float that is not finite")
        return column.tolist()

    def planes(self, count: int, width: int) -> bytes:
        """Read `count` items of `width` bytes each from their byte planes."""
        data = self.take(count * width)
        if width == 1:
            return data
        items = bytearray(count * width)
        for plane in range(width):
            items[plane::width] = data[plane * count : (plane + 1) * count]
        return bytes(items)

    def end(self) -> None:
        """Raise `RemoteProtocolError` if any byte is left unread."""
        if self.rest_bytes:
            raise self.wrong(f"{self.rest_bytes} bytes follow the end")


def _all_finite(column: "array[float]") -> bool:
    """Return whether all numbers are finite. Only their sum is tested first. If the sum is not finite, each number is
    tested, since a sum of finite numbers may overflow."""
    return math.isfinite(sum(column)) or all(map(math.isfinite, column))
