"""Workers of an open store. A gateway has two threads for it: one writes, the other reads.

A simulated fleet runs the work of its many stores on its event loop instead (`simulators/fleet/loop_workers.py`), since
two threads for each of a thousand vehicles would spend their time on exchanging the interpreter's lock.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from gateway.buffer.queued_items import Item

T = TypeVar("T")


class Inbox(Protocol):
    """Queue of the items for the writer; None ends it. Both ways to get an item raise `queue.Empty`."""

    def put(self, item: Item | None) -> None: ...

    def get(self, block: bool = True, timeout_s: float | None = None, /) -> Item | None: ...

    def get_nowait(self) -> Item | None: ...


class Turning(Protocol):
    """The writer, as its worker drives it."""

    @property
    def patience_s(self) -> float:
        """Time after which a turn is due although no item is queued."""

    def turn(self) -> bool:
        """Take items from the inbox and commit what is due. Return False when the writer has ended."""


class StoreWorkers(Protocol):
    """Workers of one open store. Except for `notify`, all calls are made on the event loop's thread."""

    @property
    def inbox(self) -> Inbox: ...

    def notify(self, function: Callable[[Any], None], argument: object) -> None:
        """Call `function` on the event loop. The writer and the reader call this."""

    def start(self, writer: Turning) -> None: ...

    async def read(self, work: Callable[..., T], *arguments: object) -> T:
        """Run `work`, which reads the store, and return its result."""

    async def join(self) -> None:
        """Return when the writer has ended."""

    async def close(self, close_files: Callable[[], None]) -> None:
        """End the reader, then run `close_files`."""


class StoreThreads:
    """The two threads of a gateway's store."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="argus-buffer-reader")
        self._writer: threading.Thread | None = None

    def notify(self, function: Callable[[Any], None], argument: object) -> None:
        # The loop may be closed: no caller waits then, and what was committed is committed.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, argument)

    def start(self, writer: Turning) -> None:
        def run() -> None:
            while writer.turn():
                pass

        self._writer = threading.Thread(target=run, name="argus-buffer-writer", daemon=True)
        self._writer.start()

    async def read(self, work: Callable[..., T], *arguments: object) -> T:
        return await self._loop.run_in_executor(self._reader, work, *arguments)

    async def join(self) -> None:
        if self._writer is not None:
            await asyncio.shield(asyncio.to_thread(self._writer.join))

    async def close(self, close_files: Callable[[], None]) -> None:
        def close() -> None:
            self._reader.shutdown()
            close_files()

        await asyncio.shield(asyncio.to_thread(close))
