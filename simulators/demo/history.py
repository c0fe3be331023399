"""Counts over time: the number of observations that each device delivered, in all and in each of the last ticks.

The gateway counts per connection and from zero after its own restart; here the counts of all connections of a device
are added up, so that a total never decreases.
"""

from collections import defaultdict, deque

TICKS_MAX = 120


class Rates:
    """Rates from each connection's counter; `tick` ends an interval."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], int] = {}
        self._totals: dict[str, int] = defaultdict(int)
        self._new: dict[str, int] = defaultdict(int)
        self._ticks: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=TICKS_MAX))

    def count(self, device: str, connection: int, counter: int) -> None:
        """Note the current counter of one connection; one that decreased has restarted."""
        before = self._seen.get((device, connection), 0)
        added = counter - before if counter >= before else counter
        self._seen[device, connection] = counter
        self._totals[device] += added
        self._new[device] += added

    def skip(self) -> None:
        """Exclude the counts so far from the rates: they are older than the view."""
        self._new.clear()

    def tick(self, seconds: float) -> None:
        """Turn the counts since the last tick into one value, per second."""
        for device in self._totals:
            self._ticks[device].append(self._new[device] / seconds)
        self._new.clear()

    def total(self, device: str) -> int:
        return self._totals.get(device, 0)

    def recent(self, device: str, count: int) -> list[float]:
        """Return the last `count` values, oldest first."""
        ticks = self._ticks.get(device)
        return [] if ticks is None else list(ticks)[-count:]
