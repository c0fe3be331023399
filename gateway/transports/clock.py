"""Clock of the shell, whose times are passed to the pure core: monotonic seconds, wall microseconds, and their boot.

It is one object instead of calls to `time`, so that a test moves time by hand and never sleeps. Timeouts and sleeps
belong here for the same reason: a deadline of the core is a number on this clock, and only this clock knows when it has
come.

`sessions/clocks/trusted_clock` judges whether the wall time is right.
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
"""Shortest sleep that is recognised: the two clocks are read one after the other, and a busy machine may pause
between."""


class Clock(Protocol):
    """Times that the shell may read. `boot_id` names the run of the machine that `monotonic_s` counts from. After a
    sleep of the machine it differs, because the monotonic clock stood still meanwhile."""

    @property
    def boot_id(self) -> str: ...

    def monotonic_s(self) -> float:
        """Return the seconds since an unknown start; never goes back within one boot."""

    def wall_us(self) -> int:
        """Return the microseconds since 1970 UTC by the machine's clock; may jump."""

    @property
    def wall_error_us(self) -> int:
        """Greatest error of `wall_us` while it is synchronised, as far as this clock knows."""

    def timeout_at(self, deadline_s: float | None) -> AbstractAsyncContextManager[object]:
        """Return a block that ends with TimeoutError when `monotonic_s` reaches `deadline_s`; None: no deadline."""

    async def sleep_until(self, deadline_s: float) -> None:
        """Return when `monotonic_s` has reached `deadline_s`."""


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks of one boot. `wall_error_us` as in `Clock`."""

    monotonic_s: float
    wall_us: int
    boot_id: str
    wall_error_us: int = 0


def instant_of(clock: Clock) -> Instant:
    """Return the present moment on both clocks."""
    return Instant(clock.monotonic_s(), clock.wall_us(), clock.boot_id, clock.wall_error_us)


class SystemClock:
    """The clock of this machine. It cannot judge its own wall clock: `sessions/clocks/trusted_clock` does."""

    wall_error_us = 0

    def __init__(self) -> None:
        self._boot_id = _boot_id()
        self._slept_s = 0.0

    @property
    def boot_id(self) -> str:
        """The kernel's boot id, followed by the seconds that the machine had slept when it last woke."""
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
    """Return the kernel's boot id; where there is none, an id of this process, whose clock no other process can compare
    with."""
    try:
        return _BOOT_ID_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid.uuid4())
