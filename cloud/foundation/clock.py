"""The time, as a thing that is handed over: production reads the system's clocks, tests move their own.

Wall time is in whole microseconds since 1970-01-01 UTC, as every `*_us` column is. Elapsed time is monotonic seconds.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings: the calendar and the stopwatch."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go backwards; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        return time.monotonic()
