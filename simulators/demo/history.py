"""Counts over time: how many observations each device delivered, in all and in each of the last ticks.

The gateway counts per connection and from zero after its own restart; here the counts of all connections of a
device are added up, so that a total never goes back.
"""

from collections import defaultdict, deque

TICKS_MAX = 120


class Rates:
    """Fed with each connection's counter, then moved on by a tick."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], int] = {}
        self._totals: dict[str, int] = defaultdict(int)
        self._new: dict[str, int] = defaultdict(int)
        self._ticks: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=TICKS_MAX))

    def count(self, device: str, connection: int, counter: int) -> None:
        """The counter of one connection now; one that went back began anew."""
        before = self._seen.get((device, connection), 0)
        added = counter - before if counter >= before else counter
        self._seen[device, connection] = counter
        self._totals[device] += added
        self._new[device] += added

    def skip(self) -> None:
        """What was counted so far is no rate: it came before anybody watched."""
        self._new.clear()

    def tick(self, seconds: float) -> None:
        """What was counted since the last tick becomes one value, per second."""
        for device in self._totals:
            self._ticks[device].append(self._new[device] / seconds)
        self._new.clear()

    def total(self, device: str) -> int:
        return self._totals.get(device, 0)

    def recent(self, device: str, count: int) -> list[float]:
        """The last `count` values, oldest first."""
        ticks = self._ticks.get(device)
        return [] if ticks is None else list(ticks)[-count:]
