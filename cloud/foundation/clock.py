"""The clock as a parameter: production reads the system's clocks, tests move their own.

Wall time is in whole microseconds since 1970-01-01 UTC, as every `*_us` column is. Elapsed time is monotonic seconds.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """A clock with wall time and monotonic time."""

    def now_us(self) -> int:
        """Return microseconds since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go backwards; only differences are meaningful."""
        ...


class SystemClock:
    """The clocks of the machine."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        return time.monotonic()
