"""Workers of a vehicle's store that run on the fleet's event loop, in place of the two threads of a gateway.

A thousand vehicles would have two thousand threads, whose exchange of the interpreter's lock takes several times the
processor time of the work itself. Here an item that is queued for the writer is worked on in the next turn of the loop,
and a read is made at once. The loop waits for each commit, so this is for stores on a file system in memory: one on a
disk would let all vehicles wait for its flush.
"""

import asyncio
import queue
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from gateway.buffer.queued_items import Item
from gateway.buffer.workers import Turning

T = TypeVar("T")

IN_MEMORY: Final = frozenset(("tmpfs", "ramfs"))
MOUNTS = Path("/proc/self/mounts")


class LoopInbox:
    """Queue of the items for a writer on the loop's own thread. `get` never waits; `queued` is called at each item."""

    def __init__(self, queued: Callable[[], None]) -> None:
        self._items: deque[Item | None] = deque()
        self._queued = queued

    @property
    def is_empty(self) -> bool:
        return not self._items

    def put(self, item: Item | None) -> None:
        self._items.append(item)
        self._queued()

    def get(self, block: bool = True, timeout_s: float | None = None, /) -> Item | None:
        return self.get_nowait()

    def get_nowait(self) -> Item | None:
        if not self._items:
            raise queue.Empty
        return self._items.popleft()


class LoopWorkers:
    """The workers of one store. A turn of the writer is due when an item is queued, and after its `patience_s`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.inbox = LoopInbox(self._turn_soon)
        self._writer: Turning | None = None
        self._due: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()

    def notify(self, function: Callable[[Any], None], argument: object) -> None:
        function(argument)

    def start(self, writer: Turning) -> None:
        self._writer = writer
        self._turn_soon()

    async def read(self, work: Callable[..., T], *arguments: object) -> T:
        return work(*arguments)

    async def join(self) -> None:
        await self._ended.wait()

    async def close(self, close_files: Callable[[], None]) -> None:
        for handle in (self._due, self._timer):
            if handle is not None:
                handle.cancel()
        close_files()

    def _turn_soon(self) -> None:
        if self._due is None:
            self._due = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Take turns until nothing is queued, then wait for the next item, or until a turn is due."""
        assert self._writer is not None
        self._due = None
        is_going_on = self._writer.turn()
        while is_going_on and not self.inbox.is_empty:
            is_going_on = self._writer.turn()
        if not is_going_on:
            self._ended.set()
            return
        due_s = self._loop.time() + self._writer.patience_s
        if self._timer is None or due_s < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(due_s, self._turn_by_time)

    def _turn_by_time(self) -> None:
        """Take a turn. It may be early, since a timer is not moved for each turn; the writer then finds nothing to
        do."""
        self._timer = None
        self._turn_soon()


def is_in_memory(folder: Path) -> bool:
    """Return whether the file system of `folder` is in memory, where a flush costs nothing."""
    folder = folder.resolve()
    mounted: dict[Path, str] = {}
    for line in MOUNTS.read_text(errors="replace").splitlines():
        _, point, kind, *_ = line.split(" ")
        mounted[Path(point)] = kind
    return next((mounted[each] for each in (folder, *folder.parents) if each in mounted), "") in IN_MEMORY
