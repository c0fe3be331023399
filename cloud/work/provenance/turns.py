"""Run verifications one after the other in a thread of their own, with a limited queue.

A transcript at the limit of size takes a second, and a flood of them would take the processor from all other requests.
A thread cannot be stopped: if a request ends first, at its time limit or since the client left, the thread works on.
So its place in the queue is free only when the thread has ended.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from cloud.work.provenance.errors import VerificationBusy

QUEUED_MAX = 16
TENANT_QUEUED_MAX = 4
"""Verifications of one tenant at a time, so that none takes all of `QUEUED_MAX`."""
RETRY_S = 5

T = TypeVar("T")


class Turns:
    """The thread of the verifications of a process, and the places in its queue."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="verification")
        self._queued: Counter[str] = Counter()

    @contextmanager
    def place(self, tenant_id: str) -> Iterator["Place"]:
        """Hold a place in the queue during the block, and as long as work that was begun in it is not done. Raises
        `VerificationBusy` if all are taken, or all of the tenant."""
        if self._queued.total() >= QUEUED_MAX or self._queued[tenant_id] >= TENANT_QUEUED_MAX:
            raise VerificationBusy(headers={"Retry-After": str(RETRY_S)})
        self._queued[tenant_id] += 1
        place = Place(self._thread)
        try:
            yield place
        finally:
            place.call_when_idle(lambda: self._release(tenant_id))

    def _release(self, tenant_id: str) -> None:
        self._queued[tenant_id] -= 1
        if not self._queued[tenant_id]:
            del self._queued[tenant_id]


class Place:
    """A place in the queue. Its holder runs one piece of work at a time."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._running: asyncio.Future[object] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in the thread in its turn, and return its result. If the caller is cancelled, work that has not
        begun is dropped, and other work goes on without a listener."""
        assert self._running is None or self._running.done()
        submitted = self._thread.submit(work)
        running = asyncio.wrap_future(submitted)
        self._running = running  # type: ignore[assignment]
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            submitted.cancel()
            raise

    def call_when_idle(self, release: Callable[[], None]) -> None:
        """Call `release` when no work of this place is running."""
        running = self._running
        if running is None or running.done():
            release()
            return

        def release_at_end(done: asyncio.Future[object]) -> None:
            if not done.cancelled():
                done.exception()  # nothing awaits it, so it is not reported
            release()

        running.add_done_callback(release_at_end)
