"""Cursor over received bytes: every read is checked against the end, and no other code slices bytes.

It replaces `struct.unpack_from` for two reasons. Missing bytes must become `RemoteProtocolError` with their offset,
never `IndexError` or `struct.error`. And a nested value must not be read past the end of the value that contains it:
`inside(n)` checks that n bytes are left and returns a reader that ends after them. Offsets in that reader still count
from the outermost value. Numbers are big-endian, as in 20601. Hot paths with a known layout use one compiled `struct`
(`dim.report_plan`) after this reader has checked that layout once.
"""

from protocols.errors import RemoteProtocolError


class Reader:
    """Reader of `data[at:end]` from the front. Every method raises `RemoteProtocolError` when bytes are missing."""

    __slots__ = ("_at", "_clause", "_data", "_end")

    def __init__(self, data: bytes, *, at: int = 0, end: int | None = None, clause: str = "") -> None:
        """Create a reader of `data[at:end]`; both bounds must lie inside `data`. `end` None is the end of `data`. Error
        texts quote `clause`, the rule that defines the bytes."""
        self._data = data
        self._at = at
        self._end = len(data) if end is None else end
        self._clause = clause
        assert 0 <= self._at <= self._end <= len(data)

    @property
    def at(self) -> int:
        """Offset of the next byte, counted from the start of the outermost value."""
        return self._at

    @property
    def remaining(self) -> int:
        return self._end - self._at

    def _advance(self, size: int) -> int:
        start = self._at
        if size > self._end - start:
            raise RemoteProtocolError(
                f"{size} bytes are due and {self._end - start} are left", at=start, clause=self._clause
            )
        self._at = start + size
        return start

    def unsigned(self, size: int) -> int:
        """Read a big-endian number of 1, 2, 4, 6 or 8 bytes."""
        start = self._advance(size)
        return int.from_bytes(self._data[start : start + size], "big")

    def signed(self, size: int) -> int:
        """Read a big-endian two's complement number."""
        start = self._advance(size)
        return int.from_bytes(self._data[start : start + size], "big", signed=True)

    def u8(self) -> int:
        return self._data[self._advance(1)]

    def u16(self) -> int:
        start = self._advance(2)
        return self._data[start] << 8 | self._data[start + 1]

    def u32(self) -> int:
        return self.unsigned(4)

    def take(self, size: int) -> bytes:
        start = self._advance(size)
        return self._data[start : start + size]

    def rest(self) -> bytes:
        return self.take(self.remaining)

    def since(self, start: int) -> bytes:
        """Return the bytes that were read between the offset `start` and the current position."""
        assert start <= self._at
        return self._data[start : self._at]

    def inside(self, size: int) -> "Reader":
        """Return a reader over the next `size` bytes, and skip these bytes in this reader. The caller must call
        `finish` on the new reader."""
        start = self._advance(size)
        return Reader(self._data, at=start, end=start + size, clause=self._clause)

    def finish(self) -> None:
        """Raise `RemoteProtocolError` if bytes are left unread, because the length then does not match the content
        (reference 20601 §1)."""
        if self._at != self._end:
            raise RemoteProtocolError(f"{self._end - self._at} bytes are left over", at=self._at, clause=self._clause)
