"""Waits between attempts: doubled after each, and bounded.

This module has neither a clock nor randomness: a caller sleeps by its own clock, and adds the jitter that its peers
need.
"""

from math import inf


def doubled_s(first_s: float, times: int, most_s: float = inf) -> float:
    """Return `first_s` doubled `times` times, at most `most_s`."""
    # 2**63 is beyond any bound; without this, years of failures would make an absurd integer.
    return min(most_s, first_s * 2.0 ** min(times, 63))


class GrowingWait:
    """A wait that begins at `first_s`, doubles with each use, and stays at `most_s`. `now_s` is the next one."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self.now_s = first_s
        self._first_s = first_s
        self._most_s = most_s

    def next_s(self, limit_s: float = inf) -> float:
        """Return the current wait, at most `limit_s`; the next one is twice as long."""
        wait_s = min(self.now_s, limit_s)
        self.now_s = min(2 * wait_s, self._most_s)
        return wait_s

    def reset(self) -> None:
        """Restart at `first_s`: an attempt succeeded, so the next failure is a first one."""
        self.now_s = self._first_s
