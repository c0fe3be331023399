"""Delays of acknowledgements, counted in classes, so that a fleet may run for days in constant memory."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Final, Self

CLASSES_PER_FACTOR_E: Final = 100
"""Classes for each factor e: neighbouring classes differ by 1 %, which is far below what two runs differ by."""
SHORTEST_MS: Final = 0.1


class Latencies:
    """Counts of delays in milliseconds, and their percentiles with an error of at most 1 %."""

    def __init__(self) -> None:
        self.count = 0
        self.ms_max = 0.0
        self._classes: Counter[int] = Counter()

    @classmethod
    def joined(cls, parts: Iterable["Latencies"]) -> Self:
        """Return the delays of all `parts` together."""
        whole = cls()
        for part in parts:
            whole.count += part.count
            whole.ms_max = max(whole.ms_max, part.ms_max)
            whole._classes.update(part._classes)
        return whole

    def add(self, delay_ms: float) -> None:
        self.count += 1
        self.ms_max = max(self.ms_max, delay_ms)
        self._classes[math.ceil(CLASSES_PER_FACTOR_E * math.log(max(delay_ms, SHORTEST_MS) / SHORTEST_MS))] += 1

    def percentile_ms(self, percent: float) -> float | None:
        """Return the delay that `percent` of the delays do not exceed; None without a delay."""
        left = self.count * percent / 100
        for number, count in sorted(self._classes.items()):
            left -= count
            if left <= 0:
                return min(self.ms_max, SHORTEST_MS * math.exp(number / CLASSES_PER_FACTOR_E))
        return None
