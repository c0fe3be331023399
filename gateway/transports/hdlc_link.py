"""A link whose bytes travel in HDLC-like frames, for a serial line that loses or adds bytes.

Each APDU is a separate frame, so a damaged frame loses one APDU and the bytes after it remain readable. A frame whose
content is not a sequence of whole APDUs is dropped too, because a 16-bit check sequence does not detect all noise: four
bytes 0xFF, as an idle line or a break may produce, always pass the check, and would abort the association.
"""

from collections import deque

import structlog

from gateway.transports.link import RECEIVE_BYTES_MAX, Link
from protocols.framing.hdlc import FrameErrors, Unframer, frame

log = structlog.get_logger(__name__)

_APDU_HEADER_BYTES = 4


class HdlcLink:
    """A `Link` that carries its bytes in frames over another `Link`."""

    def __init__(self, link: Link, *, limit_bytes: int = RECEIVE_BYTES_MAX) -> None:
        self._link = link
        self._unframer = Unframer(min(limit_bytes, RECEIVE_BYTES_MAX))
        self._payloads: deque[bytes] = deque()
        self._no_apdu = 0

    @property
    def name(self) -> str:
        return self._link.name

    @property
    def is_line(self) -> bool:
        return self._link.is_line

    @property
    def errors(self) -> FrameErrors:
        """Numbers of dropped frames, one number for each kind of damage on the line."""
        return self._unframer.errors

    @property
    def frames_dropped(self) -> int:
        """Number of dropped frames: damaged frames, and frames whose content is not a sequence of whole APDUs."""
        return self.errors.total + self._no_apdu

    async def receive(self) -> bytes:
        while not self._payloads:
            data = await self._link.receive()
            if not data:
                return b""
            dropped_before = self.frames_dropped
            for payload in self._unframer.feed(data):
                if _whole(apdus(payload)[-1]):
                    self._payloads.append(payload)
                else:
                    self._no_apdu += 1
            # Each doubling is logged: a bad cable shows in a few lines and does not fill the log.
            if self.frames_dropped.bit_length() > dropped_before.bit_length():
                log.warning("hdlc.frames_dropped", link=self.name, dropped=self.frames_dropped)
        taken = [self._payloads.popleft()]
        bytes_taken = len(taken[0])
        while self._payloads and bytes_taken + len(self._payloads[0]) <= RECEIVE_BYTES_MAX:
            bytes_taken += len(self._payloads[0])
            taken.append(self._payloads.popleft())
        return b"".join(taken)

    async def send(self, data: bytes) -> None:
        await self._link.send(b"".join(map(frame, apdus(data))))

    async def close(self) -> None:
        await self._link.close()


def apdus(data: bytes) -> list[bytes]:
    """Split `data` into APDUs by the lengths in their headers (choice and length, two bytes each; 20601 §3). Bytes at
    the end that are no whole APDU become the last piece, because a simulated agent also sends such bytes in a frame."""
    pieces = []
    start = 0
    while start < len(data):
        end = start + _APDU_HEADER_BYTES + int.from_bytes(data[start + 2 : start + 4], "big")
        pieces.append(data[start:end])
        start = end
    return pieces


def _whole(piece: bytes) -> bool:
    return len(piece) >= _APDU_HEADER_BYTES and len(piece) == _APDU_HEADER_BYTES + int.from_bytes(piece[2:4], "big")
