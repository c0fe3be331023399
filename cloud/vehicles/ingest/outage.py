"""An outage of the object store, as the writers of one process notice it.

A put that fails may take half a minute. So after one, live batches are not staged, and those that are staged are not
packed, for some time: values and their readers do not wait for the same failure again.

A request that takes too long is no proof of an outage: the machine may have been busy for a second. To write all live
batches at once for half a minute costs several times as much, so a busy machine would fall behind for good. So the
first such stall ends the staging for a moment only, and each further one in a row for twice as long.
"""

from asyncio import get_running_loop
from collections.abc import Callable

OFF_S = 30.0
"""Time after a failed put in which no other is tried for batches that can do without one."""
STALL_OFF_S = 1.0
"""The same time after the first request in a row that took too long."""


def _loop_s() -> float:
    return get_running_loop().time()


class Outage:
    """The last known state of the object store. It begins as available. `now_s` returns the time of a monotonic
    clock."""

    def __init__(self, now_s: Callable[[], float] = _loop_s) -> None:
        self._now_s = now_s
        self._until_s = 0.0
        self._stall_off_s = STALL_OFF_S / 2

    @property
    def lasts(self) -> bool:
        return self._now_s() < self._until_s

    def begin(self) -> None:
        """Note that the object store was not available."""
        self._until_s = self._now_s() + OFF_S

    def note_stall(self) -> None:
        """Note that a put or a removal took too long."""
        self._stall_off_s = min(OFF_S, self._stall_off_s * 2)
        self._until_s = max(self._until_s, self._now_s() + self._stall_off_s)

    def note_put(self) -> None:
        """Note that a put succeeded in time."""
        self._stall_off_s = STALL_OFF_S / 2
