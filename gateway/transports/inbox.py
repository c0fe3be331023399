"""Bounded queue of the bytes that a link has received and its reader has not read yet.

Bytes are removed only in the step that returns them, so cancelling a reader loses nothing. A full queue pauses its
link: a device that sends faster than the gateway stores is slowed by its own line. Bytes that were received before a
link broke stay readable, so a device's last report counts although the device hung up after it.
"""

import asyncio
from collections.abc import Callable

from gateway.transports.link import RECEIVE_BYTES_MAX


class Inbox:
    """Queue of received bytes. `pause` is called when the queue reaches `limit_bytes`, and `resume` when less than half
    of `limit_bytes` is left."""

    def __init__(
        self, pause: Callable[[], None], resume: Callable[[], None], *, limit_bytes: int = 2 * RECEIVE_BYTES_MAX
    ) -> None:
        self._pause = pause
        self._resume = resume
        self._limit_bytes = limit_bytes
        self._bytes = bytearray()
        self._paused = False
        self.ended = False
        """True when nothing more will be put in; some bytes may still be unread."""
        self._waiter: asyncio.Future[None] | None = None

    @property
    def queued_bytes(self) -> int:
        """Number of bytes received and not yet read."""
        return len(self._bytes)

    def put(self, data: bytes) -> None:
        """Add bytes that the event loop has just read."""
        self._bytes += data
        if not self._paused and len(self._bytes) >= self._limit_bytes:
            self._paused = True
            self._pause()
        self._wake()

    def end(self) -> None:
        """Mark the link as ended. Repeated calls do nothing."""
        self.ended = True
        self._wake()

    async def take(self) -> bytes:
        """Wait for bytes, and return at most RECEIVE_BYTES_MAX; b"" when the link has ended and all bytes were read."""
        while not self._bytes and not self.ended:
            if self._waiter is not None:
                raise RuntimeError("two receivers wait on one link")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        taken = bytes(self._bytes[:RECEIVE_BYTES_MAX])
        del self._bytes[:RECEIVE_BYTES_MAX]
        if self._paused and not self.ended and len(self._bytes) < self._limit_bytes // 2:
            self._paused = False
            self._resume()
        return taken

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
