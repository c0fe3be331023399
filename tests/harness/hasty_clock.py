"""A clock that runs many times as fast as the machine's, so that a simulated device lives an hour within a minute."""

import asyncio
from contextlib import AbstractAsyncContextManager

from gateway.transports.clock import SystemClock


class HastyClock:
    """A `gateway.transports.clock.Clock` that runs `factor` times as fast as the machine's clock.

    Both its monotonic and its wall clock start at the machine's time.
    """

    def __init__(self, factor: float) -> None:
        self._clock = SystemClock()
        self._factor = factor
        self._began_s = self._clock.monotonic_s()
        self._began_us = self._clock.wall_us()
        self.boot_id = self._clock.boot_id
        self.wall_error_us = 0

    def monotonic_s(self) -> float:
        return self._began_s + (self._clock.monotonic_s() - self._began_s) * self._factor

    def wall_us(self) -> int:
        return self._began_us + round((self.monotonic_s() - self._began_s) * 1_000_000)

    def timeout_at(self, deadline_s: float | None) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(None if deadline_s is None else self._real_s(deadline_s))

    async def sleep_until(self, deadline_s: float) -> None:
        await asyncio.sleep(max(0.0, self._real_s(deadline_s)))

    def _real_s(self, deadline_s: float) -> float:
        return (deadline_s - self.monotonic_s()) / self._factor
