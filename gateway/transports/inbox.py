"""Bytes that a link has received and that are not taken yet: bounded, in order, and none lost to a cancelled receive.

The event loop puts bytes in when the kernel has them; `take` hands them out and is where a receiver waits. Bytes are
removed only in the step that returns them, so cancelling a waiting receiver loses nothing. A full inbox asks its link
to stop reading, so that a device that sends faster than we store is slowed by its own line and not by our memory.

What was received before a link broke stays readable: a device's last report counts although it hung up after it.
"""

import asyncio
from collections.abc import Callable

from gateway.transports.link import RECEIVE_BYTES_MAX


class Inbox:
    """`pause` is called when `limit_bytes` are waiting, `resume` when less than half of that is left."""

    def __init__(
        self, pause: Callable[[], None], resume: Callable[[], None], *, limit_bytes: int = 2 * RECEIVE_BYTES_MAX
    ) -> None:
        self._pause = pause
        self._resume = resume
        self._limit_bytes = limit_bytes
        self._octets = bytearray()
        self._paused = False
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def ended(self) -> bool:
        """Nothing more will be put in; something may still be waiting to be taken."""
        return self._ended

    @property
    def waiting_bytes(self) -> int:
        """Received and not yet taken."""
        return len(self._octets)

    def put(self, data: bytes) -> None:
        """Called by the event loop with what has just been read."""
        self._octets += data
        if not self._paused and len(self._octets) >= self._limit_bytes:
            self._paused = True
            self._pause()
        self._wake()

    def end(self) -> None:
        """The link has ended. May be called again."""
        self._ended = True
        self._wake()

    async def take(self) -> bytes:
        """The next bytes, at most RECEIVE_BYTES_MAX; b"" when the link has ended and everything was taken."""
        while not self._octets and not self._ended:
            if self._waiter is not None:
                raise RuntimeError("two receivers wait on one link")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        taken = bytes(self._octets[:RECEIVE_BYTES_MAX])
        del self._octets[:RECEIVE_BYTES_MAX]
        if self._paused and not self._ended and len(self._octets) < self._limit_bytes // 2:
            self._paused = False
            self._resume()
        return taken

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
