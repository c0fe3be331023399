"""Extraction of APDUs from a byte stream: tag (two bytes), length (two bytes), content (reference 20601 §11).

20601 requires a channel that preserves message boundaries. TCP, pseudo-terminals and raw serial lines do not, so the
header of each APDU delimits it. The same stream gives the same APDUs, however it is cut into chunks.

After a wrong header (a tag that is none of the six, or a length beyond the limit) the next APDU cannot be found: the
stream raises, and the connection must be closed. A serial line cannot be closed by the peer, so there the stream
continues at the next association request (`seek_request`), the one APDU whose first bytes are unlikely to occur
elsewhere. Serial lines with noise use `framing.hdlc` below the APDUs instead.

The chunks of an incomplete APDU are joined only when it is complete, so an APDU that arrives byte by byte is not copied
for each byte. The scan-report path uses `front` and `skip` to decode consecutive APDUs of one layout in place, without
copying them.
"""

import re

from protocols.errors import LocalProtocolError, RemoteProtocolError

APDU_BYTES_MAX = 64512
"""The largest APDU that an agent may send (reference 20601 §11), header included."""

_HEADER_BYTES = 4
_TAGS = frozenset({0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7})
_REQUEST = re.compile(rb"\xE2\x00[\x00-\x03].\x80\x00\x00\x00", re.DOTALL)
"""Beginning of an AARQ: tag, a length below 1024 (it has about fifty bytes), association version 1 (20601 §3)."""
_REQUEST_BYTES = 8


class ApduTooLong(RemoteProtocolError):
    """An APDU is announced that is longer than the limit."""


class ApduStream:
    """Collector of received bytes that returns whole APDUs. It holds at most `limit_bytes` of an unfinished APDU."""

    __slots__ = ("_at", "_broken", "_data", "_due_bytes", "_later", "_limit_bytes", "_seeking")

    def __init__(self, limit_bytes: int = APDU_BYTES_MAX) -> None:
        self._limit_bytes = limit_bytes
        self._data = b""
        self._at = 0
        self._due_bytes = 0
        """Length of the first pending APDU; 0 until its header has arrived."""
        self._later = bytearray()
        """Bytes that arrived after `_data` while the first APDU was not whole."""
        self._broken: RemoteProtocolError | None = None
        self._seeking = False

    @property
    def pending_bytes(self) -> int:
        """Number of bytes received and not yet returned or skipped."""
        return len(self._data) - self._at + len(self._later)

    @property
    def in_apdu(self) -> bool:
        """True while bytes of an APDU are pending. Bytes that arrive while the stream seeks an association request do
        not count."""
        return self._at < len(self._data) and not self._seeking

    def append(self, data: bytes) -> None:
        """Add received bytes without extracting APDUs."""
        if self._due_bytes > self.pending_bytes + len(data):
            self._later += data
            return
        self._join()
        if self._at == len(self._data):
            self._data = bytes(data)
        else:
            self._data = self._data[self._at :] + data
        self._at = 0

    def _join(self) -> None:
        if self._later:
            self._data, self._at = self._data[self._at :] + self._later, 0
            self._later.clear()
        self._due_bytes = 0

    def next_apdu(self) -> bytes | None:
        """Return the next whole APDU, header included, or None while the APDU is incomplete. Raises
        `RemoteProtocolError` on a wrong header. Later calls raise the same error, since the next APDU cannot be found.
        """
        length = self.next_length()
        if length is None:
            return None
        if length > self.pending_bytes:
            self._due_bytes = length
            return None
        start = self._at
        self._at += length
        return self._data[start : self._at]

    def next_length(self) -> int | None:
        """Return the length of the next APDU, header included, or None while the header is incomplete. Raises
        `RemoteProtocolError` on a wrong header, and again at every later call."""
        if self._broken is not None:
            raise self._broken
        if self._seeking and not self._found_request():
            return None
        data, at = self._data, self._at
        waiting = len(data) - at
        if waiting and data[at] not in _TAGS:
            self._fail(f"no APDU starts with the byte 0x{data[at]:02X}")
        if waiting > 1 and data[at + 1]:
            self._fail(f"no APDU has the tag 0x{data[at]:02X}{data[at + 1]:02X}")
        if waiting < _HEADER_BYTES:
            return None
        raw = _HEADER_BYTES + (data[at + 2] << 8 | data[at + 3])
        if raw > self._limit_bytes:
            self._fail(f"an APDU of {raw} bytes is over the limit of {self._limit_bytes}", ApduTooLong)
        return raw

    def front(self) -> memoryview:
        """Return the pending bytes without a copy; the view is valid until the next `append`. While the first APDU is
        incomplete, the view may hold only the first part of the pending bytes."""
        return memoryview(self._data)[self._at :]

    def skip(self, count: int) -> None:
        """Drop `count` bytes that the caller has read through `front`."""
        if count > len(self._data) - self._at:
            raise LocalProtocolError("more bytes are skipped than are pending")
        self._at += count

    def feed(self, data: bytes) -> list[bytes]:
        """Add received bytes and return every APDU that is now whole."""
        self.append(data)
        apdus = []
        while (apdu := self.next_apdu()) is not None:
            apdus.append(apdu)
        return apdus

    def seek_request(self) -> None:
        """Drop the first pending APDU and all bytes up to the next association request."""
        self._join()
        self._at = min(self._at + 1, len(self._data))
        self._broken, self._seeking = None, True

    def _found_request(self) -> bool:
        found = _REQUEST.search(self._data, self._at)
        # The last bytes may be the beginning of a request that is still arriving.
        self._at = found.start() if found else max(self._at, len(self._data) - _REQUEST_BYTES + 1)
        self._seeking = found is None
        return found is not None

    def clear(self) -> None:
        """Drop all pending bytes, since the association on this connection has ended."""
        self._data, self._at, self._due_bytes = b"", 0, 0
        self._later.clear()

    def _fail(self, reason: str, kind: type[RemoteProtocolError] = RemoteProtocolError) -> None:
        self._broken = kind(reason, at=0, clause="20601 §11 APDU header")
        raise self._broken
