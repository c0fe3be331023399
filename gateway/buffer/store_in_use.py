"""The store that a buffer currently works on: opened, and after a failure set aside and replaced by a spare one.

Only the buffer of a running gateway (`serving`) replaces its store (`spare_store`). Where there is no store at all,
every call raises StoreFull until `keep` finds one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakSet

import structlog

from gateway.buffer.errors import BufferClosed, BufferUnusable, StoreFull, Trouble
from gateway.buffer.open_store import OpenStore, StorePlace, open_files
from gateway.buffer.spare_store import open_or_replace
from gateway.buffer.store import Store
from protocols.uplink.status import StoreState

T = TypeVar("T")

RETRY_S = 5.0
"""Interval at which a gateway without a store looks for one. A disk that is mounted late is used within seconds, and a
check needs only two system calls."""

REPLACE_EVERY_S = 60.0
"""Minimum interval between replacements. A store that fails within a minute after it replaced another indicates a
failing disk. The next replacement is then delayed, so that the disk is not filled with set-aside files."""

log = structlog.get_logger()


class StoreInUse:
    """The open store of a buffer, at most one at a time. Each time `take_up` has opened a store, it awaits the callback
    `filled`. The callback `failed` is called when the open store fails, before another one replaces it."""

    def __init__(
        self,
        place: StorePlace,
        *,
        serving: bool,
        filled: Callable[[], Awaitable[None]],
        failed: Callable[[BufferUnusable], None],
    ) -> None:
        self.place = place
        self.serving = serving
        self.closed = False
        self.failure: BufferUnusable | None = None
        """The reason that nothing is recorded now; None while the store works."""
        self._filled = filled
        self._report_failure = failed
        self.present: OpenStore | None = None
        """The open store, even after it failed; None while there is none."""
        self._wakes: WeakSet[asyncio.Event] = WeakSet()
        self._failed = asyncio.Event()
        self._unreliable: BufferUnusable | None = None
        """The reason for which the store that was open last must be set aside and not opened again; None where there is
        none."""
        self._replaced_s = -REPLACE_EVERY_S

    async def open(self) -> None:
        """Open the existing store. Raises BufferUnusable, and leaves the store as it was."""
        files = await asyncio.to_thread(open_files, self.place)
        self.present = OpenStore(self.place, files, wake=self.wake, failed=self._fail)

    async def take_up(self) -> None:
        """Open the existing store or a spare one. Where neither can be opened, set `failure` to the reason."""
        try:
            files, aside = await asyncio.to_thread(open_or_replace, self.place, self._unreliable)
        except BufferUnusable as error:
            # A store that another process uses is not logged here: `Buffer.open` raises the error.
            is_new = self.failure is None or error.trouble is not self.failure.trouble
            if is_new and error.trouble is not Trouble.IN_USE:
                log.error("buffer.no_store", why=str(error))
            self.failure = error
            self._failed.set()
            return
        if aside is not None:
            log.error("buffer.store_set_aside", file=aside.path.name, why=aside.why, epoch=files.store.about.epoch)
            self._replaced_s = self.place.clock.monotonic_s()
        self.failure = self._unreliable = None
        self._failed.clear()
        self.present = OpenStore(self.place, files, wake=self.wake, failed=self._fail)
        await self._filled()
        self.wake()

    async def keep(self) -> None:
        """Replace the open store whenever it fails. While no store can be used, retry to open one. Never returns."""
        clock = self.place.clock
        while True:
            await self._failed.wait()
            if self.present is not None:
                failed, self.present = self.present, None
                await failed.close()
            now_s = clock.monotonic_s()
            await clock.sleep_until(now_s + (RETRY_S if self._replaced_s + REPLACE_EVERY_S > now_s else 0.0))
            await self.take_up()
            if self.present is None:
                await clock.sleep_until(clock.monotonic_s() + RETRY_S)

    async def close(self) -> None:
        """Commit what is queued, then close the store. Later calls raise BufferClosed."""
        self.closed = True
        if self.present is not None:
            await self.present.close()

    def _fail(self, error: BufferUnusable) -> None:
        self.failure = error
        if error.trouble.sets_aside:
            self._unreliable = error
        self._report_failure(error)
        self._failed.set()

    @property
    def state(self) -> StoreState:
        """RESERVE while the disk is full, FULL while nothing can be recorded, otherwise OK."""
        if self.present is None or self.present.failure is not None:
            return StoreState.FULL
        return self.present.writer.state

    def wait_for_commit(self) -> asyncio.Event:
        """Return a new event that every later commit sets."""
        wake = asyncio.Event()
        self._wakes.add(wake)
        return wake

    def wake(self) -> None:
        """Set all events that `wait_for_commit` returned."""
        for wake in list(self._wakes):
            wake.set()

    # ---- calls into the store

    def require(self) -> OpenStore:
        """Return the open store. Raises BufferClosed after `close`, and BufferUnusable while there is no store."""
        if self.closed:
            raise BufferClosed("the buffer is closed")
        if self.present is None:
            raise self.failure or BufferClosed("no store was opened")
        return self.present

    def require_or_refuse(self) -> OpenStore:
        """Return the open store. While there is none, raise StoreFull in a running gateway, otherwise the store's
        failure."""
        try:
            return self.require()
        except BufferUnusable as error:
            raise self.refusal(error) from error

    def check_admission(self) -> None:
        """Raise an error if the buffer is closed, or if its store has failed and the buffer does not replace stores
        (`serving` is False)."""
        if self.closed or (self._failed.is_set() and not self.serving):
            raise self.refusal(self.failure)

    def refusal(self, error: Exception | None) -> Exception:
        """Return the error for a caller whose request failed with `error`. In a running gateway (`serving`) it is
        StoreFull, which every caller handles: it refuses the data, counts it, and retries. In other processes, and
        after `close`, it is `error` itself."""
        if not self.serving or self.closed:
            return error or BufferClosed("the buffer is closed")
        return StoreFull(f"nothing can be recorded now: {error}")

    async def task(self, work: Callable[[Store], T], *, cut: bool = False) -> T:
        """Run `work` on the writer's thread and return its result. `cut`: cut the batches of all lanes before it.
        Without a usable store, raise StoreFull in a running gateway, otherwise the store's failure."""
        try:
            return await self.require().task(work, cut=cut)
        except (BufferUnusable, BufferClosed) as error:
            raise self.refusal(error) from error

    async def read(self, work: Callable[..., T], *arguments: object) -> T:
        """Run `work` on the reader's thread and return its result. Without a usable store, raise StoreFull in a running
        gateway, otherwise the store's failure."""
        try:
            return await self.require().read(work, *arguments)
        except BufferUnusable as error:
            raise self.refusal(error) from error
