"""Running time of the store, by which retention counts. It only goes forward, and no wall clock can push it.

Why not the wall clock: a gateway without an RTC battery starts in 1970 and jumps by decades when it learns the time
(D5). Rows written a minute before would look 72 hours older. So the time kept in each row advances with the monotonic
clock while the gateway runs. Over a pause it advances by the difference of the wall clock, but at most a day per start:
a wrong date then costs a part of the replay window and never all of it; a vehicle parked for a week keeps its rows a
little longer. A wall clock that goes back adds nothing.
"""

from gateway.transports.clock import Clock

PAUSE_CREDIT_US_MAX = 24 * 3600 * 1_000_000


class StoreTime:
    """The running time of one store. `kept_us` continues from `last_kept_us`, which was written when the wall clock
    showed `last_wall_us`."""

    def __init__(self, clock: Clock, *, last_kept_us: int, last_wall_us: int) -> None:
        pause_us = min(max(clock.wall_us() - last_wall_us, 0), PAUSE_CREDIT_US_MAX)
        self._begun_us = last_kept_us + pause_us
        self._begun_s = clock.monotonic_s()
        self._clock = clock

    def now_us(self) -> int:
        return self._begun_us + int((self._clock.monotonic_s() - self._begun_s) * 1_000_000)
