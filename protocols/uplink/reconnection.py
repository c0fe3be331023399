"""The wait before the next connection to the broker: exponential with full jitter and a bound.

Full jitter, because a thousand vehicles lose the same broker at the same moment and must not return at the same moment.
The first attempt after a useful connection is soon; useful is a connection on which a message was acknowledged, or that
lasted for a while. On a bad road a link may last for seconds only, and each of them delivers. A connection that another
client took over counts as a failure whatever it delivered, so that two gateways with one identity do not alternate on
the broker.
"""

from collections.abc import Callable
from dataclasses import dataclass

from protocols.waits import doubled_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectSettings:
    """Bounds of the wait: the n-th failure in a row waits for a random part of `first_s` × 2ⁿ, at most of `cap_s`, at
    least `least_s`."""

    first_s: float = 1.0
    cap_s: float = 60.0
    least_s: float = 0.1
    settled_after_s: float = 30.0
    """Duration of a connection that ends the row of failures."""


class ReconnectWait:
    """The wait of one client. `chance()` returns a number in [0, 1); no clock is read here."""

    def __init__(self, settings: ReconnectSettings, chance: Callable[[], float]) -> None:
        self._settings = settings
        self._chance = chance
        self.failures = 0

    def end_connection(self, *, held_s: float, delivered: bool) -> None:
        """Note the end of a connection or an attempt after `held_s`; `delivered`: the peer acknowledged a message on
        it."""
        if delivered or held_s >= self._settings.settled_after_s:
            self.failures = 0

    def next_s(self) -> float:
        """Return the wait before the next attempt, after a further failure."""
        ceiling_s = doubled_s(self._settings.first_s, self.failures, self._settings.cap_s)
        self.failures += 1
        return max(self._settings.least_s, self._chance() * ceiling_s)
