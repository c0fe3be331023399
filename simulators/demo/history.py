"""Delivered observations of each device over time: the total, and the rate in each recent interval.

The gateway counts per connection, and from zero after its restart. `Rates` adds up the counts of all connections of a
device, so that a total never decreases.
"""

from collections import defaultdict, deque

TICKS_MAX = 120


class Rates:
    """Totals and rates of devices, computed from the counters of their connections. `tick` ends an interval."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], int] = {}
        self._totals: dict[str, int] = defaultdict(int)
        self._new: dict[str, int] = defaultdict(int)
        self._ticks: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=TICKS_MAX))

    def count(self, device: str, connection: int, counter: int) -> None:
        """Process the current counter of one connection. A counter that is lower than before has
        restarted from zero."""
        before = self._seen.get((device, connection), 0)
        added = counter - before if counter >= before else counter
        self._seen[device, connection] = counter
        self._totals[device] += added
        self._new[device] += added

    def skip(self) -> None:
        """Discard the counts since the last tick, so that they appear in no rate. The view calls this for its first
        status, which includes observations from before the view started."""
        self._new.clear()

    def tick(self, seconds: float) -> None:
        """End an interval of `seconds`, and store the rate per second of each device."""
        for device in self._totals:
            self._ticks[device].append(self._new[device] / seconds)
        self._new.clear()

    def total(self, device: str) -> int:
        return self._totals.get(device, 0)

    def recent(self, device: str, count: int) -> list[float]:
        """Return the last `count` rates of a device, oldest first, or all of its rates if there are fewer."""
        ticks = self._ticks.get(device)
        return [] if ticks is None else list(ticks)[-count:]
