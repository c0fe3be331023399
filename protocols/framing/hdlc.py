"""HDLC-like framing for a serial line: flag 0x7E, escape 0x7D, and FCS-16, as in RFC 1662.

    0x7E · payload and FCS, escaped · 0x7E          FCS-16: CRC-16/X-25, least significant byte first

20601 does not define RS-232 (reference 20601 §11), so this framing is our own choice; every serial analyser supports
it. A line loses and adds bytes. A damaged frame is counted and dropped, and the next flag starts a new frame, so noise
costs only the frame that it damages. An escape before a flag (0x7D 0x7E) means that the sender aborts the frame.

The FCS is computed at C speed: `binascii.crc_hqx` has the same polynomial but the opposite bit order. So `translate`
first reverses the bits of each byte, and at the end the bits of the remainder are reversed. Like every CRC of 16 bits,
the FCS accepts one random frame in 65536. It also accepts 0xFF 0xFF 0xFF 0xFF always, so the receiver must still check
the payload.
"""

from binascii import crc_hqx
from dataclasses import dataclass
from typing import Final

from protocols.errors import LocalProtocolError

FLAG: Final = b"\x7e"
ESCAPE: Final = b"\x7d"
ABORT: Final = ESCAPE + FLAG
"""Sequence that, sent after a part of a frame, makes the receiver drop that part."""

_TOGGLE = 0x20
_FCS_BYTES = 2
_MIRRORED: Final = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


def fcs16(data: bytes) -> int:
    """Return the frame check sequence of RFC 1662 appendix C (init 0xFFFF, reflected 0x1021, inverted)."""
    remainder = crc_hqx(data.translate(_MIRRORED), 0xFFFF)
    return (_MIRRORED[remainder & 0xFF] << 8 | _MIRRORED[remainder >> 8]) ^ 0xFFFF


def frame(payload: bytes) -> bytes:
    """Return one frame between two flags. The opening flag ends any noise that the receiver has collected."""
    if not payload:
        raise LocalProtocolError("an empty frame is line fill and carries nothing")
    body = payload + fcs16(payload).to_bytes(_FCS_BYTES, "little")
    # The escape byte first: replacing it second would escape the escapes.
    return FLAG + body.replace(ESCAPE, b"\x7d\x5d").replace(FLAG, b"\x7d\x5e") + FLAG


@dataclass(slots=True)
class FrameErrors:
    """Number of dropped frames, by reason."""

    crc: int = 0
    """The check sequence did not match, or an escape followed an escape."""
    overlong: int = 0
    """More bytes than the limit without a flag."""
    aborted: int = 0
    """The sender aborted the frame."""
    short: int = 0
    """One or two bytes: too few for a payload and its check sequence."""

    @property
    def total(self) -> int:
        return self.crc + self.overlong + self.aborted + self.short


class Unframer:
    """Extractor of payloads from a stream of bytes. It never raises on received bytes, and holds at most one frame. A
    frame with a payload above `limit_bytes` is dropped."""

    def __init__(self, limit_bytes: int) -> None:
        self.errors = FrameErrors()
        self._limit_bytes = limit_bytes
        # Every byte may be escaped, so a frame of the longest payload may be twice as long on the line.
        self._held_bytes_max = 2 * (limit_bytes + _FCS_BYTES)
        self._held = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Add received bytes and return the payloads of the frames that are now whole, in order."""
        first, *rest = data.split(FLAG)
        self._hold(first)
        if not rest:
            return []
        payloads = []
        last = rest.pop()
        for body in (self._release(), *rest):
            payload = self._unwrap(body)
            if payload is not None:
                payloads.append(payload)
        self._hold(last)
        return payloads

    def _hold(self, part: bytes) -> None:
        if self._skipping:
            return
        self._held += part
        if len(self._held) > self._held_bytes_max:
            self._held.clear()
            self._skipping = True
            self.errors.overlong += 1

    def _release(self) -> bytes:
        body = b"" if self._skipping else bytes(self._held)
        self._held.clear()
        self._skipping = False
        return body

    def _unwrap(self, body: bytes) -> bytes | None:
        if not body:
            return None  # two flags in a row: line fill, or one frame's end and the next one's start
        if body.endswith(ESCAPE):
            self.errors.aborted += 1
            return None
        plain = _unescape(body)
        if plain is None:
            self.errors.crc += 1
            return None
        if len(plain) <= _FCS_BYTES:
            self.errors.short += 1
            return None
        if len(plain) > self._limit_bytes + _FCS_BYTES:
            self.errors.overlong += 1
            return None
        payload = plain[:-_FCS_BYTES]
        if fcs16(payload) != int.from_bytes(plain[-_FCS_BYTES:], "little"):
            self.errors.crc += 1
            return None
        return payload


def _unescape(body: bytes) -> bytes | None:
    """Return `body` with each escape sequence replaced by its byte, even where `frame` would not have escaped the byte.
    Return None where an escape byte is the last byte or precedes another escape byte."""
    start, *escaped = body.split(ESCAPE)
    if not escaped:
        return body
    if not all(escaped):
        return None
    return start + b"".join(bytes((part[0] ^ _TOGGLE,)) + part[1:] for part in escaped)
