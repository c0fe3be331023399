"""The machine's clock: monotonic seconds, wall-clock microseconds, and the id of the machine's boot.

Code with I/O reads the clock and passes the times to the protocol code, which reads no clock. The clock is one object
instead of calls to `time`, with timeouts and sleeps as methods, so that tests set the time and never sleep.
`sessions/clocks/trusted_clock` judges whether the wall-clock time is right.
"""

import asyncio
import time
import uuid
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
_SLEEP_S_MIN = 1.0
"""Shortest sleep that is recognised, since a busy machine may pause between the readings of the two clocks."""


class Clock(Protocol):
    """Interface to the machine's clock. `boot_id` identifies the period in which `monotonic_s` is comparable: it
    changes at each boot, and after a suspend, during which the monotonic clock stops."""

    @property
    def boot_id(self) -> str: ...

    def monotonic_s(self) -> float:
        """Return the seconds since an unspecified start. They never decrease within one boot."""

    def wall_us(self) -> int:
        """Return the machine's wall-clock time in microseconds since 1970 UTC. It may jump."""

    @property
    def wall_error_us(self) -> int:
        """Largest error of `wall_us` while the wall clock is synchronised, as far as this clock knows."""

    def timeout_at(self, deadline_s: float | None) -> AbstractAsyncContextManager[object]:
        """Return a context manager that raises TimeoutError when `monotonic_s` reaches `deadline_s`; None: never."""

    async def sleep_until(self, deadline_s: float) -> None:
        """Return when `monotonic_s` has reached `deadline_s`."""


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment: monotonic time, wall-clock time and its largest error. `boot_id` identifies the machine boot in which
    the monotonic time is valid."""

    monotonic_s: float
    wall_us: int
    boot_id: str
    wall_error_us: int = 0


def instant_of(clock: Clock) -> Instant:
    return Instant(clock.monotonic_s(), clock.wall_us(), clock.boot_id, clock.wall_error_us)


class SystemClock:
    """The clock of this machine. It cannot judge its own wall clock; `sessions/clocks/trusted_clock` does."""

    wall_error_us = 0

    def __init__(self) -> None:
        self._boot_id = _boot_id()
        self._slept_s = 0.0

    @property
    def boot_id(self) -> str:
        """The kernel's boot id, followed by the seconds that the machine has been suspended in this boot."""
        slept_s = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        if abs(slept_s - self._slept_s) > _SLEEP_S_MIN:
            self._slept_s = slept_s
        return f"{self._boot_id}-s{self._slept_s:.0f}" if self._slept_s else self._boot_id

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wall_us(self) -> int:
        return time.time_ns() // 1000

    def timeout_at(self, deadline_s: float | None) -> asyncio.Timeout:
        # The loop has its own clock (uvloop counts whole milliseconds): the rest is carried over, not the time.
        return asyncio.timeout(None if deadline_s is None else deadline_s - time.monotonic())

    async def sleep_until(self, deadline_s: float) -> None:
        await asyncio.sleep(max(0.0, deadline_s - time.monotonic()))


def _boot_id() -> str:
    """Return the kernel's boot id. Where it cannot be read, return an id that is valid for this process only."""
    try:
        return _BOOT_ID_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid.uuid4())
