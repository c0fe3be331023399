"""How long to wait before the next attempt: exponential with full jitter and a cap.

Full jitter, because a thousand vehicles lose the same broker at the same moment and must not come back at the same
moment. The first attempt after a connection that was of use is soon: one on which the cloud acknowledged something, or
one that held for a while. On a bad road a link may live for seconds only, and each of them delivers. A connection that
another client took over counts as a failure whatever it delivered, so that two gateways with one identity do not chase
each other around the broker.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffSettings:
    """The n-th failure in a row waits for a random part of `first_s` × 2ⁿ, at most of `cap_s`, at least `least_s`."""

    first_s: float = 1.0
    cap_s: float = 60.0
    least_s: float = 0.1
    settled_after_s: float = 30.0
    """A connection that held this long ends the row of failures."""


class Backoff:
    """`chance()` gives a number in [0, 1); nothing here knows a clock."""

    def __init__(self, settings: BackoffSettings, chance: Callable[[], float]) -> None:
        self._settings = settings
        self._chance = chance
        self.failures = 0

    def connection_ended(self, *, held_s: float, delivered: bool) -> None:
        """A connection or an attempt ended after `held_s`; `delivered`: the cloud acknowledged something on it."""
        if delivered or held_s >= self._settings.settled_after_s:
            self.failures = 0

    def next_s(self) -> float:
        """The wait before the next attempt, after one more failure."""
        # 2**63 is beyond any cap; without the bound a failure row of years would make an absurd integer.
        ceiling_s = min(self._settings.cap_s, self._settings.first_s * 2.0 ** min(self.failures, 63))
        self.failures += 1
        return max(self._settings.least_s, self._chance() * ceiling_s)
