"""Calls into a Bluetooth stack over one link, each with a time limit, because a stack may never respond.

The stack's daemon may have died, which its clients do not notice. `cut` ends all pending calls at once.
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
    """Calls into a Bluetooth stack over one link. `name` identifies the link in the log."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._waiting: set[asyncio.Timeout] = set()

    async def within(self, limit_s: float, call: Awaitable[T]) -> T:
        """Await `call` into the stack. Raises TimeoutError after `limit_s` or at `cut`. When the link breaks, the stack
        may cancel the call. BleLost is then raised, since a CancelledError would end the caller's task."""
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
        """Await `call`, a connect of bleak, for at most `limit_s`, then cancel it. To cancel a connect, bleak sends a
        request to the stack, and a hanging daemon never responds. So the connect is abandoned ABANDON_S later."""
        connecting = asyncio.ensure_future(call)
        try:
            await self.within(limit_s, asyncio.shield(connecting))
        except BaseException:
            await self._call_off(connecting)
            raise

    def cut(self) -> None:
        """End every pending call over the link with an error."""
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
