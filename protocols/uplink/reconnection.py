"""Wait before the next connection to the broker: exponential with full jitter, up to a limit.

The jitter is full, because a thousand vehicles lose the same broker at the same moment and must not reconnect at the
same moment. The first attempt after a useful connection comes soon. A connection was useful if a message was
acknowledged on it, or if it lasted for `settled_after_s`: on a bad road a connection may last for seconds only, and
still deliver data. A connection that another client took over always counts as a failure, so that two gateways with one
identity do not alternate on the broker.
"""

from collections.abc import Callable
from dataclasses import dataclass

from protocols.waits import doubled_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectSettings:
    """Bounds of the wait. After the n-th failure in a row the wait is a random part of `first_s` × 2ⁿ⁻¹, where this
    product is limited to `cap_s`. The wait is at least `least_s`."""

    first_s: float = 1.0
    cap_s: float = 60.0
    least_s: float = 0.1
    settled_after_s: float = 30.0
    """Duration after which a connection counts as useful: the count of failures restarts at 0."""


class ReconnectWait:
    """Wait of one client between its connections. `chance()` returns a random number in [0, 1)."""

    def __init__(self, settings: ReconnectSettings, chance: Callable[[], float]) -> None:
        self._settings = settings
        self._chance = chance
        self.failures = 0

    def end_connection(self, *, held_s: float, delivered: bool) -> None:
        """Record that a connection, or an attempt to connect, ended after `held_s` seconds. `delivered`: a message was
        acknowledged on the connection."""
        if delivered or held_s >= self._settings.settled_after_s:
            self.failures = 0

    def next_s(self) -> float:
        """Count one more failure to connect, and return the wait in seconds before the next attempt."""
        ceiling_s = doubled_s(self._settings.first_s, self.failures, self._settings.cap_s)
        self.failures += 1
        return max(self._settings.least_s, self._chance() * ceiling_s)
