"""Measures the time from the receipt of a confirmed measurement to its commit.

A Bluetooth stack confirms an indication before the gateway sees it, and the device may then delete what it sent. So a
power cut between the two loses the value; 11073-20601 has no such window, since there the gateway itself acknowledges.
The window cannot be closed from here, so it is measured, and stated in the device's history and in the documents.
"""

from collections import deque

_KEPT = 1024


class ConfirmWindow:
    """Receipt-to-commit latency of one link, in µs."""

    def __init__(self) -> None:
        self.count = 0
        self.us_max = 0
        self._recent_us: deque[int] = deque(maxlen=_KEPT)

    def add(self, received_s: float, committed_s: float) -> None:
        window_us = max(0, round((committed_s - received_s) * 1_000_000))
        self.count += 1
        self.us_max = max(self.us_max, window_us)
        self._recent_us.append(window_us)

    @property
    def us_p99(self) -> int:
        """The 99th percentile of the latest thousand; 0 where there was none."""
        ordered = sorted(self._recent_us)
        return ordered[(len(ordered) * 99 - 1) // 100] if ordered else 0
