"""The clock as a parameter: production passes the system's clocks, and tests pass a clock that they set."""

import time
from typing import Protocol


class Clock(Protocol):
    """A clock with wall time and monotonic time."""

    def now_us(self) -> int:
        """Return the wall time in microseconds since 1970-01-01 UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return a time in seconds that never goes backwards. Only the difference of two such times has a meaning."""
        ...


class SystemClock:
    """The wall clock and the monotonic clock of this machine."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        return time.monotonic()
