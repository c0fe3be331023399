"""Bytes that a link has received and that are not read yet: bounded, in order, and none lost to a cancelled receive.

The event loop puts bytes in when the kernel has them. `take` returns them and blocks while there are none. Bytes are
removed only in the step that returns them, so cancelling a blocked receiver loses nothing. A full inbox pauses its
link, so that a device that sends faster than we store is slowed by its own line and does not fill our memory.

Bytes that were received before a link broke stay readable: a device's last report counts although it hung up after it.
"""

import asyncio
from collections.abc import Callable

from gateway.transports.link import RECEIVE_BYTES_MAX


class Inbox:
    """Queue of received bytes. `pause` is called when it holds `limit_bytes`, `resume` when less than half of that is
    left."""

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
        """Number of bytes that were received and not yet read."""
        return len(self._bytes)

    def put(self, data: bytes) -> None:
        """Add bytes that the event loop has just read."""
        self._bytes += data
        if not self._paused and len(self._bytes) >= self._limit_bytes:
            self._paused = True
            self._pause()
        self._wake()

    def end(self) -> None:
        """Mark the end of the link. May be called again."""
        self.ended = True
        self._wake()

    async def take(self) -> bytes:
        """Return the next bytes, at most RECEIVE_BYTES_MAX; b"" when the link has ended and everything was read."""
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
