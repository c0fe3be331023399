"""Waits between attempts: each is twice as long as the previous one, up to a limit. The code that uses a wait sleeps by
its own clock. It also adds random jitter where many clients would otherwise retry together.
"""

from math import inf


def doubled_s(first_s: float, times: int, most_s: float = inf) -> float:
    """Return `first_s` doubled `times` times, at most `most_s`."""
    # 2**63 is beyond any bound; without this, years of failures would make an absurd integer.
    return min(most_s, first_s * 2.0 ** min(times, 63))


class GrowingWait:
    """Wait that begins at `first_s`, doubles with each use, and stays at `most_s`. `now_s` is the wait in seconds that
    the next call of `next_s` returns."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self.now_s = first_s
        self._first_s = first_s
        self._most_s = most_s

    def next_s(self, limit_s: float = inf) -> float:
        """Return the current wait, at most `limit_s`. The next wait is twice the returned one, at most `most_s`."""
        wait_s = min(self.now_s, limit_s)
        self.now_s = min(2 * wait_s, self._most_s)
        return wait_s

    def reset(self) -> None:
        """Restart at `first_s` after a successful attempt."""
        self.now_s = self._first_s
