"""A link over an open terminal descriptor: a serial port, or either end of a pseudo-terminal.

`loop.add_reader` is the fastest and smallest method measured (founders' reference ble_testing §4). A terminal reports a
hang-up as end of file, as EIO, or (an unplugged adapter) as another error; each ends the link. `serial_port` opens and
configures the port; `hdlc_link` adds frames.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress

from gateway.transports.inbox import Inbox

_READ_BYTES = 65_536


class DescriptorLink:
    """A `Link` over `descriptor`, which is set to non-blocking. `release` is called once, when the link is closed."""

    def __init__(
        self,
        name: str,
        descriptor: int,
        release: Callable[[], None] | None = None,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.received_bytes = 0
        """Number of bytes that came over the line, whatever they were."""
        self.last_byte_s: float | None = None
        """Time at which the last of them came, on the clock of `now_s`; None: none yet."""
        self._now_s = now_s
        self._descriptor = descriptor
        self._release = release if release is not None else lambda: os.close(descriptor)
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox(self._stop_reading, self._start_reading)
        self._sending = asyncio.Lock()
        self._writable: asyncio.Future[None] | None = None
        self._closed = asyncio.Event()
        self.hung_up = False
        """True when the other end hung up, as opposed to a close on our side."""
        os.set_blocking(descriptor, False)
        self._start_reading()

    @property
    def is_line(self) -> bool:
        return True

    async def receive(self) -> bytes:
        return await self._inbox.take()

    async def send(self, data: bytes) -> None:
        async with self._sending:
            rest = memoryview(data)
            while rest:
                if self._inbox.ended:
                    raise ConnectionResetError(f"{self.name} has ended")
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except (BlockingIOError, InterruptedError):
                    await self._wait_writable()
                except OSError as error:
                    self._end()
                    raise ConnectionResetError(f"{self.name} has ended: {error.strerror}") from error

    async def close(self) -> None:
        if self._closed.is_set():
            return
        self._stop()
        self._closed.set()
        with suppress(OSError):  # a removed adapter may raise again; the descriptor is free all the same
            self._release()

    def hang_up(self) -> None:
        """End the link as if the other end had hung up: the receiver gets the bytes received so far, then the end."""
        self._end()

    @property
    def ended(self) -> bool:
        """True after a hang-up or `close`; received bytes may still be unread."""
        return self._inbox.ended

    async def wait_closed(self) -> None:
        """Wait until `close` was called and the port can be opened again."""
        await self._closed.wait()

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self.received_bytes += len(data)
            self.last_byte_s = self._now_s()
            self._inbox.put(data)
        else:
            self._end()

    def _start_reading(self) -> None:
        self._loop.add_reader(self._descriptor, self._read)

    def _stop_reading(self) -> None:
        self._loop.remove_reader(self._descriptor)

    async def _wait_writable(self) -> None:
        self._writable = self._loop.create_future()
        self._loop.add_writer(self._descriptor, self._wake_writer)
        try:
            await self._writable
        finally:
            self._writable = None
            if not self._closed.is_set():
                self._loop.remove_writer(self._descriptor)

    def _wake_writer(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _end(self) -> None:
        self.hung_up = True
        self._stop()

    def _stop(self) -> None:
        if self._inbox.ended:
            return
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        self._inbox.end()
        self._wake_writer()
