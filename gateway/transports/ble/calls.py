"""Calls into a Bluetooth stack over one link. Each has a time limit, and all of them end when the link ends.

A stack may never respond: the device has disappeared, or the daemon hangs or has died, which its clients do not notice.
So every call has a limit, and `cut` ends pending calls at once.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog

from gateway.transports.ble.faults import BleLost
from gateway.transports.clock import Clock

ABANDON_S = 5.0
"""Time for cancelling an attempt to connect."""

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Calls:
    """Calls over one link. `name` identifies the link in the log."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._waiting: set[asyncio.Timeout] = set()

    async def within(self, limit_s: float, call: Awaitable[T]) -> T:
        """Run one call within a limit. Raises TimeoutError at the limit or at `cut`.

        Some stacks cancel a call when its link breaks, although the task was not cancelled. Such a call raises BleLost,
        since CancelledError would end the task.
        """
        task = asyncio.current_task()
        asked_before = 0 if task is None else task.cancelling()
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + limit_s), asyncio.timeout(None) as cut:
                self._waiting.add(cut)
                try:
                    return await call
                finally:
                    self._waiting.discard(cut)
        except asyncio.CancelledError:
            if task is not None and task.cancelling() > asked_before:
                raise
            raise BleLost("the link broke in the middle of a request") from None

    async def attempt(self, limit_s: float, call: Awaitable[None]) -> None:
        """Connect within a limit. To cancel a connect, bleak sends a request to the stack and waits for the response
        without a limit. A hanging daemon never responds, so the connect is abandoned after ABANDON_S and does not block
        the adapter."""
        connecting = asyncio.ensure_future(call)
        try:
            await self.within(limit_s, asyncio.shield(connecting))
        except BaseException:
            await self._call_off(connecting)
            raise

    def cut(self) -> None:
        """End every pending call."""
        now = asyncio.get_running_loop().time()
        for each in tuple(self._waiting):
            if not each.expired():
                each.reschedule(now)

    async def _call_off(self, connecting: asyncio.Future[None]) -> None:
        if connecting.done():
            return
        connecting.cancel()
        connecting.add_done_callback(_looked_at)
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + ABANDON_S):
                await asyncio.wait({connecting})
        except TimeoutError:
            log.warning("ble.connect_abandoned", link=self._name, why="the stack does not call it off")


def _looked_at(task: asyncio.Future[None]) -> None:
    """Retrieve the error of a call whose caller no longer waits, so that asyncio does not log it as unhandled."""
    if not task.cancelled():
        task.exception()
