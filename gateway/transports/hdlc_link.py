"""A link whose octets travel in HDLC-like frames, for a serial line that loses and invents octets.

Each APDU is a frame of its own, so that a damaged frame costs one APDU and the stream behind it stays readable. To the
association it is a link like any other: framing, check sequence and counting stay below.
"""

from collections import deque

import structlog

from gateway.transports.link import RECEIVE_BYTES_MAX, Link
from protocols.framing.hdlc import FrameErrors, Unframer, frame

log = structlog.get_logger(__name__)

_APDU_HEADER_BYTES = 4


class HdlcLink:
    """A `Link` over another one. `errors` counts the frames that were dropped."""

    def __init__(self, link: Link, *, limit_bytes: int = RECEIVE_BYTES_MAX) -> None:
        self._link = link
        self._unframer = Unframer(min(limit_bytes, RECEIVE_BYTES_MAX))
        self._payloads: deque[bytes] = deque()

    @property
    def name(self) -> str:
        return self._link.name

    @property
    def errors(self) -> FrameErrors:
        return self._unframer.errors

    async def receive(self) -> bytes:
        while not self._payloads:
            data = await self._link.receive()
            if not data:
                return b""
            dropped_before = self.errors.total
            self._payloads.extend(self._unframer.feed(data))
            if self.errors.total > dropped_before:
                log.warning("hdlc.frames_dropped", link=self.name, dropped=self.errors.total - dropped_before)
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
    """`data` cut at the borders that its APDU headers name (choice, length: two octets each; 20601 §3).

    What does not add up stays one piece at the end: a simulated agent that sends nonsense sends it framed.
    """
    pieces = []
    while data:
        end = _APDU_HEADER_BYTES + int.from_bytes(data[2:4], "big")
        pieces.append(data[:end])
        data = data[end:]
    return pieces
