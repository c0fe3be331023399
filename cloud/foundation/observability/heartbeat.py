"""The heartbeat of the event loop: it notifies systemd's watchdog, and measures the longest stall of the loop.

One call that does not return blocks every host, `/health/live` included. So the event loop itself notifies the
watchdog, and systemd restarts a process whose notifications stop. The heartbeat does not depend on disk or database: a
restart would not repair them, and `/health/ready` reports them.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.observability.metrics import EVENT_LOOP_STALL_SECONDS_MAX, Metrics
from cloud.foundation.observability.service_manager import notify, watchdog_s

BEAT_S = 0.25
"""Interval at which the loop checks whether it is late, and the resolution of a measured stall."""
FEED_EVERY_S = 1.0
"""Interval at which systemd is notified, 30 times within the 30 s of the unit. A shorter time limit shortens it."""
STALL_LOGGED_S = 1.0
"""A stall of this length or more is logged. Our own code occupies the loop for less than a tenth of that."""

log = structlog.get_logger()


class Heartbeat:
    """Notifies systemd's watchdog by calling `feed`, and measures how long the event loop is blocked. systemd ends the
    process after `watchdog_s` without a notification. If `watchdog_s` is None, systemd does not watch the process."""

    def __init__(
        self,
        clock: Clock,
        *,
        watchdog_s: float | None = None,
        feed: Callable[[], None] = lambda: notify("WATCHDOG=1"),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        # Half of the limit, as in sd_watchdog_enabled(3): one late notification does not end the process.
        self._feed_every_s = None if watchdog_s is None else min(FEED_EVERY_S, watchdog_s / 2)
        self._feed = feed
        self._sleep = sleep
        self.longest_stall_s = 0.0
        """The longest time for which the loop was blocked since the process started."""

    async def run(self) -> None:
        """Notify the watchdog and measure stalls, until cancelled."""
        feed_every_s = self._feed_every_s
        beat_s = BEAT_S if feed_every_s is None else min(BEAT_S, feed_every_s / 2)
        fed_s = float("-inf")
        while True:
            now_s = self._clock.monotonic_s()
            if feed_every_s is not None and now_s - fed_s >= feed_every_s:
                self._feed()
                fed_s = now_s
            await self._sleep(beat_s)
            self._measure(self._clock.monotonic_s() - now_s - beat_s)

    def _measure(self, stall_s: float) -> None:
        self.longest_stall_s = max(self.longest_stall_s, stall_s)
        if stall_s >= STALL_LOGGED_S:
            log.warning("event_loop.stalled", seconds=round(stall_s, 3))

    async def sample(self, metrics: Metrics) -> None:
        """Set the metric of the longest stall. Called at each scrape."""
        metrics.set(EVENT_LOOP_STALL_SECONDS_MAX, self.longest_stall_s)


def make_heartbeat(clock: Clock) -> Heartbeat:
    """Make the heartbeat of this process, with the time limit of systemd's watchdog if there is one."""
    return Heartbeat(clock, watchdog_s=watchdog_s())
