"""Wall clock of the gateway, and how far it can be trusted (DESIGN D5). `device_clock` has the devices' clocks.

An ambulance's computer may have no battery behind its clock and start in 1970. TLS would then refuse the broker's
certificate as "not yet valid", and the time would never arrive. So before a time service disciplines the clock, wall
time continues from max(last persisted time, build time). A disciplined clock is used as it is, even when it goes back:
this corrects a clock that was once set to a far future. The kernel is queried (`adjtimex`) and not a daemon's flag
file, because chrony, ntpd, timesyncd and GPS all set the kernel's state and the query needs no privilege. Without a
response the clock counts as not disciplined.

While nothing disciplines the clock, no bound of its error is justified: the time is unknown, even where it looks right.
Measurements of that period get their UTC times afterwards, through the monotonic clock (`protocols.clock_anchor`,
`gateway.sessions.clocks.timekeeping`).
"""

import ctypes
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from gateway.transports.clock import Clock
from protocols.clock_anchor import ClockAnchor

BUILD_US = 1_767_225_600_000_000
"""Lower bound of the time, 2026-01-01T00:00:00Z: this software is no older. Each release moves the bound forward, at
most to the day of the release."""
CREDIBLE_US = 2 * 365 * 86_400_000_000
"""Time after the build at which an undisciplined clock is believed: a vehicle gets another release within two years."""
PERSIST_EVERY_S = 60.0
"""Interval of storing the wall time. After a power cut the clock lags by at most this and the time without power."""
WALL_STATE = "wall_us"
"""Name under which the buffer stores the wall time."""


Discipline = Callable[[], int | None]
"""Function that returns the greatest error of the wall clock in µs, or None while no time service disciplines it."""

ESTIMATED_US_MIN = 1_000_000
"""Smallest lag behind the lower bound at which a clock is certainly wrong; slewing causes smaller lags."""
UNSTATED_ERROR_US = 100_000
"""Error assumed for a daemon that states none (systemd-timesyncd): half the round trip of a mobile network. A client
that queries one server over one path cannot measure this error."""
_TIME_ERROR = 5
_STA_NANO = 0x2000


class _Timex(ctypes.Structure):
    """The first fields of `struct timex` (linux/timex.h). `_rest` has room for the later fields, which are not read."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("_rest", ctypes.c_char * 512),
    )


def kernel_error_us() -> int | None:
    """Return the greatest error of the kernel's clock in µs. Return None if no daemon disciplines the clock (`adjtimex`
    returns TIME_ERROR) or if the process may not query it (`adjtimex` returns -1).

    The result is the sum of the kernel's bound (`maxerror`, which grows by 500 ppm between two corrections of the
    daemon) and the part of the last correction that is not applied yet. If the daemon states an estimated error of
    zero, the kernel's bound does not include the daemon's own error, so `UNSTATED_ERROR_US` is added.
    """
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    timex = _Timex()
    if adjtimex(ctypes.byref(timex)) in {-1, _TIME_ERROR}:
        return None
    pending_us = abs(timex.offset) // 1000 if timex.status & _STA_NANO else abs(timex.offset)
    error_us: int = timex.maxerror + pending_us + (0 if timex.esterror else UNSTATED_ERROR_US)
    return error_us


class TrustedClock:
    """A `Clock` whose wall time, while not synchronised, is never before a moment known to be past,
    such as the build."""

    def __init__(self, clock: Clock, *, floor_us: int = BUILD_US, disciplined: Discipline = kernel_error_us) -> None:
        self._clock = clock
        self._disciplined = disciplined
        self._floor_us = floor_us
        self._floor_at_s = clock.monotonic_s()
        self._error_us = disciplined()
        self.anchor: ClockAnchor | None = None
        """Offset of the monotonic clock from UTC when the clock was last seen synchronised in this run; None: never."""
        self._take_anchor()

    @property
    def boot_id(self) -> str:
        return self._clock.boot_id

    @property
    def synchronised(self) -> bool:
        """True when the clock was synchronised at the last `refresh`."""
        return self._error_us is not None

    @property
    def wall_error_us(self) -> int:
        """Greatest error of the wall clock at the last `refresh`; 0 and without meaning while not synchronised."""
        return self._error_us or 0

    @property
    def estimated(self) -> bool:
        """True when the machine's clock is certainly wrong, so that the wall time continues from an earlier time."""
        return not self.synchronised and self._clock.wall_us() < self._floor_now_us() - ESTIMATED_US_MIN

    @property
    def doubtful(self) -> bool:
        """True when nothing disciplines the clock and it is so far ahead of the build that it may be wrong."""
        return not self.synchronised and self.wall_us() > BUILD_US + CREDIBLE_US

    def _take_anchor(self) -> None:
        if self._error_us is None:
            return
        before_s = self._clock.monotonic_s()
        utc_us = self._clock.wall_us()
        after_s = self._clock.monotonic_s()
        self.anchor = ClockAnchor.at(
            monotonic_us=round(before_s * 1_000_000),
            utc_us=utc_us,
            uncertainty_us=self._error_us + round((after_s - before_s) * 1_000_000),
        )

    def refresh(self) -> bool:
        """Query the kernel's clock state, and return whether `synchronised` changed. Call at intervals, not for each
        observation."""
        was, self._error_us = self.synchronised, self._disciplined()
        self._take_anchor()
        if was and not self.synchronised and self.anchor is not None:
            # Discipline lost (a daemon ended, the clock was set by hand): run on from the last good time, whatever the
            # system clock shows now.
            self._floor_at_s = self.anchor.last_us / 1_000_000
            self._floor_us = self.anchor.last_us + self.anchor.offset_us
        return was != self.synchronised

    def raise_floor(self, persisted_us: int) -> None:
        """Raise the lower bound of the wall time to a time that has certainly passed, such as the persisted time."""
        now_us = self.wall_us()
        if persisted_us > now_us and not self.synchronised:
            self._floor_us, self._floor_at_s = persisted_us, self._clock.monotonic_s()

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    def wall_us(self) -> int:
        system_us = self._clock.wall_us()
        return system_us if self.synchronised else max(system_us, self._floor_now_us())

    def _floor_now_us(self) -> int:
        return self._floor_us + round((self._clock.monotonic_s() - self._floor_at_s) * 1_000_000)

    def timeout_at(self, deadline_s: float | None) -> AbstractAsyncContextManager[object]:
        return self._clock.timeout_at(deadline_s)

    async def sleep_until(self, deadline_s: float) -> None:
        await self._clock.sleep_until(deadline_s)
