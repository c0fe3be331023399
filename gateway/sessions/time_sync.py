"""How far our own wall clock can be trusted (DESIGN D5). How a device's clock relates to it: `device_clock`.

An ambulance's computer may have no battery behind its clock and wake in 1970; then TLS would refuse the
broker as "not yet valid" and time would never arrive. So until the kernel says that something disciplines the clock,
wall time runs on from max(last persisted time, build time). Once disciplined, the system's time is taken as it is,
backwards too: that heals a clock that had once been set to a far future. The kernel is asked (`adjtimex`), not a
daemon's flag file, because chrony, ntpd, timesyncd and GPS all end there and the question needs no privilege. No answer
means not disciplined.
"""

import ctypes
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gateway.transports.clock import Clock

BUILD_US = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z: this software did not exist before. Moved forward with each release, never past its day."""
PERSIST_EVERY_S = 60.0
"""How often the wall time is made durable: after a power cut the clock has lost at most this, and the time without
power."""
WALL_STATE = "wall_us"
"""The buffer's name for the persisted wall time."""


class Discipline(Protocol):
    """Whether something keeps the machine's wall clock right."""

    def __call__(self) -> bool: ...


def kernel_says_synchronised() -> bool:
    """The kernel's own answer: `adjtimex` returns TIME_ERROR (5) while no daemon has disciplined the clock, -1 if
    forbidden."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return False
    # struct timex is 208 octets on 64-bit Linux, all of them zero for a question (modes = 0); room for any other
    # layout.
    return adjtimex(ctypes.create_string_buffer(512)) not in {-1, 5}


class TrustedClock:
    """A `Clock` whose wall time never starts below what is certain. See the module's second paragraph."""

    def __init__(
        self, clock: Clock, *, floor_us: int = BUILD_US, disciplined: Callable[[], bool] = kernel_says_synchronised
    ) -> None:
        self._clock = clock
        self._disciplined = disciplined
        self._floor_us = floor_us
        self._floor_at_s = clock.monotonic_s()
        self._synchronised = disciplined()

    @property
    def boot_id(self) -> str:
        return self._clock.boot_id

    @property
    def synchronised(self) -> bool:
        """As of the last `refresh`."""
        return self._synchronised

    def refresh(self) -> bool:
        """Ask the kernel again; True when that changed the answer. Called by a loop, not for each observation."""
        was, self._synchronised = self._synchronised, self._disciplined()
        if was and not self._synchronised:
            # Discipline lost (a daemon ended): run on from the good time, whatever the system clock does now.
            self._floor_us, self._floor_at_s = self._clock.wall_us(), self._clock.monotonic_s()
        return was != self._synchronised

    def raise_floor(self, persisted_us: int) -> None:
        """The wall time that was durable when the gateway last ran."""
        now_us = self.wall_us()
        if persisted_us > now_us and not self._synchronised:
            self._floor_us, self._floor_at_s = persisted_us, self._clock.monotonic_s()

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    def wall_us(self) -> int:
        system_us = self._clock.wall_us()
        if self._synchronised:
            return system_us
        return max(system_us, self._floor_us + round((self._clock.monotonic_s() - self._floor_at_s) * 1_000_000))

    def timeout_at(self, deadline_s: float | None) -> AbstractAsyncContextManager[object]:
        return self._clock.timeout_at(deadline_s)

    async def sleep_until(self, deadline_s: float) -> None:
        await self._clock.sleep_until(deadline_s)
