"""A clock that stands still until a test moves it. Sleeps and deadlines on it end when it is moved past their times.

`MovedClock` is a `gateway.transports.clock.Clock`. `await clock.advance(3.0)` moves its monotonic and its wall clock
and lets the woken tasks run.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_TURNS = 10
"""Turns of the event loop after a move, so that a task woken by it can act and wake the next."""


class MovedClock:
    """A clock that starts at `monotonic_s` and `wall_us`. Tests of restarts choose another `boot_id`."""

    def __init__(
        self, monotonic_s: float = 1000.0, wall_us: int = 1_700_000_000_000_000, boot_id: str = "boot-1"
    ) -> None:
        self._monotonic_s = monotonic_s
        self._wall_us = wall_us
        self.boot_id = boot_id
        self.wall_error_us = 0
        self._timeouts: list[tuple[float, asyncio.Timeout]] = []
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def wall_us(self) -> int:
        return self._wall_us

    @asynccontextmanager
    async def timeout_at(self, deadline_s: float | None) -> AsyncIterator[None]:
        if deadline_s is not None and deadline_s <= self._monotonic_s:
            async with asyncio.timeout(0):
                yield
            return
        async with asyncio.timeout(None) as timeout:
            entry = (math.inf if deadline_s is None else deadline_s, timeout)
            self._timeouts.append(entry)
            try:
                yield
            finally:
                self._timeouts.remove(entry)

    async def sleep_until(self, deadline_s: float) -> None:
        if deadline_s <= self._monotonic_s:
            await asyncio.sleep(0)
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((deadline_s, sleeper))
        await sleeper

    @property
    def sleepers(self) -> int:
        """Return the number of tasks that sleep on this clock, so that a test can wait until a task sleeps."""
        return sum(not sleeper.done() for _, sleeper in self._sleepers)

    @property
    def next_wake_s(self) -> float | None:
        """Return the earliest time at which a sleeping task wakes, None if no task sleeps."""
        return min((at_s for at_s, sleeper in self._sleepers if not sleeper.done()), default=None)

    @property
    def next_deadline_s(self) -> float | None:
        """Return the earliest deadline of the open `timeout_at` blocks, None if there is none."""
        return min((at_s for at_s, _ in self._timeouts if at_s < math.inf), default=None)

    async def advance(self, seconds: float) -> None:
        """Move the monotonic and the wall clock by `seconds`, and let the woken tasks run.

        Every sleep and deadline that is due by the new time ends.
        """
        self.set_wall_us(self._wall_us + round(seconds * 1_000_000))
        self._monotonic_s += seconds
        loop = asyncio.get_running_loop()
        for at_s, timeout in self._timeouts:
            if at_s <= self._monotonic_s and not timeout.expired():
                timeout.reschedule(loop.time())
        for at_s, sleeper in self._sleepers:
            if at_s <= self._monotonic_s and not sleeper.done():
                sleeper.set_result(None)
        self._sleepers = [(at_s, sleeper) for at_s, sleeper in self._sleepers if not sleeper.done()]
        await self.settle()

    def set_wall_us(self, wall_us: int) -> None:
        """Set the wall clock alone, as a time server would."""
        self._wall_us = wall_us

    @staticmethod
    async def settle(turns: int = _TURNS) -> None:
        """Run the event loop `turns` times, so that the tasks that can run do so."""
        for _ in range(turns):
            await asyncio.sleep(0)
