"""An outage of the object store, as the writers of one process notice it.

A put that fails may take half a minute. So after one, live batches are not staged, and those that are staged are not
packed, for some time: values and their readers do not wait for the same failure again.
"""

from asyncio import get_running_loop

OFF_S = 30.0
"""Time after a failed put in which no other is tried for batches that can do without one."""


class Outage:
    """The last known state of the object store. It begins as available."""

    def __init__(self) -> None:
        self._until_s = 0.0

    @property
    def lasts(self) -> bool:
        return get_running_loop().time() < self._until_s

    def begin(self) -> None:
        """Note that the object store was not available."""
        self._until_s = get_running_loop().time() + OFF_S
