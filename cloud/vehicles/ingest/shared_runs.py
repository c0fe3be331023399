"""Run a piece of work once for all callers that wait at the same time."""

import asyncio
import math
from collections.abc import Awaitable, Callable

from cloud.foundation.db import DatabaseUnavailable

WAIT_S_MAX = 10.0
"""Longest time for which a caller waits, shorter than the time limits of clients."""


class SharedRuns:
    """Runs `work` for its callers. A caller gets the result of a run that begins after its call, with all others that
    wait for it: at most one run is active, and one is next. A run begins at least `every_s` after the one before."""

    def __init__(
        self, work: Callable[[], Awaitable[None]], *, wait_s: float = WAIT_S_MAX, every_s: float = 0.0
    ) -> None:
        self._work = work
        self._wait_s = wait_s
        self._every_s = every_s
        self._active: asyncio.Future[None] | None = None
        self._active_since_s = -math.inf
        self._next: asyncio.Future[None] | None = None

    @property
    def is_active(self) -> bool:
        return self._active is not None or self._next is not None

    async def join(self) -> None:
        """Wait until a run that begins after this call has ended. Raises the errors of the work, and
        `DatabaseUnavailable` when that takes longer than `wait_s`: at once, if the active run has taken as long."""
        late = DatabaseUnavailable("(Acknowledged values cannot be written at the moment.)")
        if self._active is not None and _now_s() > self._active_since_s + self._wait_s:
            raise late
        try:
            async with asyncio.timeout(self._wait_s):
                await self.join_to_the_end()
        except TimeoutError:
            raise late from None

    async def join_to_the_end(self) -> None:
        """Wait as `join`, however long it takes."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._run(self._active))
            self._next.add_done_callback(_read_error)
        await asyncio.shield(self._next)

    async def _run(self, before: asyncio.Future[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        if (pause_s := self._active_since_s + self._every_s - _now_s()) > 0:
            await asyncio.sleep(pause_s)
        self._active, self._next = self._next, None
        self._active_since_s = _now_s()
        try:
            await self._work()
        finally:
            self._active = None


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _read_error(run: asyncio.Future[None]) -> None:
    """Take the error of a run whose callers were all cancelled, so that asyncio does not report it."""
    if not run.cancelled():
        run.exception()
