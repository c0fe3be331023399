"""Whose clock says what: how a device's clock relates to ours, and how far our own wall clock can be trusted (DESIGN
D5).

**The device's clock.** Each report gives one pair (device time, when we received it). Their difference is the true
offset plus a delay that is never negative, so the smallest of the recent differences is the estimate, as network time
protocols do it. It is kept against the monotonic clock, so that learning the wall time does not look like a jump of
every device. A device may be set or restart, and a meter may hand over last week's memory: both look like a different
offset. A live clock keeps step with ours, a memory does not. So a new offset is believed only when several reports over
a second or more agree on it, and a device's own answer to "what time is it" is believed at once. Until then the
relation is unknown for what can come from no memory: a live report, and a time that is still to come.

**Our clock.** An ambulance's computer may have no battery behind its clock and wake in 1970; then TLS would refuse the
broker as "not yet valid" and time would never arrive. So until the kernel says that something disciplines the clock,
wall time runs on from max(last persisted time, build time). Once disciplined, the system's time is taken as it is,
backwards too: that heals a clock that had once been set to a far future. The kernel is asked (`adjtimex`), not a
daemon's flag file, because chrony, ntpd, timesyncd and GPS all end there and the question needs no privilege. No answer
means not disciplined.

Raw times are never rewritten; correction is arithmetic for readers (`observation_record`).
"""

import ctypes
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from gateway.transports.clock import Clock
from protocols.device_time import TimeKind

BUILD_US = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z: this software did not exist before. Moved forward with each release, never past its day."""
PERSIST_EVERY_S = 60.0
"""How often the wall time is made durable: after a power cut the clock has lost at most this, and the time without
power."""
WALL_STATE = "wall_us"
"""The buffer's name for the persisted wall time."""

_WINDOW = 64
"""Differences kept of one clock. At one report a second a minute: long enough to catch a quick one, short against
drift."""
_AGREE_US = 2_000_000
"""Differences closer than this belong to one relation. Above the jitter of links and of clocks that tick in whole
seconds."""
_STEP_REPORTS = 3
_STEP_SPAN_US = 1_000_000
"""A new relation needs this many reports over this much device time, so that one report in two parts is not three."""
_FLOOR_US = 20_000
"""We never claim better: a quick link takes some milliseconds and AbsoluteTime counts hundredths."""
_FEW = 8
_COARSE_US = 1_000_000
"""With fewer differences than `_FEW` a clock of whole seconds cannot be told from a fine one: add its second."""
_UNKNOWN_US_MAX = 100 * 365 * 86_400 * 1_000_000
_DEVICES_MAX = 64


@dataclass(frozen=True, slots=True)
class ClockRelation:
    """`offset_us` added to the device's `local_us` gives monotonic µs of ours; None while unknown. With its
    uncertainty."""

    offset_us: int | None
    uncertainty_us: int


@dataclass(slots=True)
class DeviceClock:
    """One clock of one device, over one boot of ours. Times in microseconds; `received_us` is monotonic."""

    _differences: deque[int] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    _candidates: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_WINDOW))

    def asked(self, local_us: int, received_us: int) -> None:
        """The device said what its clock shows now (MDS Get): believed at once."""
        self._begin([received_us - local_us])

    def observe(self, local_us: int, received_us: int, *, live: bool) -> bool:
        """A measurement's time and its reception. `live`: it cannot come from a memory (an unconfirmed report).

        False: by the relation as it is believed now this measurement would not have been taken yet, or long ago
        although it is live; so its own relation is not known.
        """
        difference = received_us - local_us
        if self._differences and abs(difference - min(self._differences)) < _AGREE_US:
            self._candidates.clear()
            self._differences.append(difference)
        elif live and not self._differences:
            self._begin([difference])
        else:
            self._consider(local_us, difference)
        ahead_us = (min(self._differences) if self._differences else difference) - difference
        return ahead_us < _AGREE_US and not (live and ahead_us <= -_AGREE_US)

    def relation(self) -> ClockRelation:
        if not self._differences:
            return ClockRelation(None, _UNKNOWN_US_MAX)
        ordered = sorted(self._differences)
        spread_us = ordered[len(ordered) // 2] - ordered[0]
        coarse_us = _COARSE_US if len(ordered) < _FEW else 0
        return ClockRelation(ordered[0], max(_FLOOR_US, spread_us) + coarse_us)

    def _consider(self, local_us: int, difference: int) -> None:
        if self._candidates and abs(self._candidates[-1][1] - difference) >= _AGREE_US:
            self._candidates.clear()
        self._candidates.append((local_us, difference))
        span_us = self._candidates[-1][0] - self._candidates[0][0]
        if len(self._candidates) >= _STEP_REPORTS and span_us >= _STEP_SPAN_US:
            self._begin([each for _, each in self._candidates])

    def _begin(self, differences: list[int]) -> None:
        self._differences.clear()
        self._differences.extend(differences)
        self._candidates.clear()


class DeviceClocks:
    """The clocks of all devices of this boot, kept over their re-associations; the longest unused is forgotten
    first."""

    def __init__(self) -> None:
        self._clocks: OrderedDict[tuple[str, TimeKind], DeviceClock] = OrderedDict()

    def clock(self, device: str, kind: TimeKind) -> DeviceClock:
        clock = self._clocks.setdefault((device, kind), DeviceClock())
        self._clocks.move_to_end((device, kind))
        while len(self._clocks) > _DEVICES_MAX * len(TimeKind):
            self._clocks.popitem(last=False)
        return clock


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
