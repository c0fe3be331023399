"""Counts of the last second, so that repeated requests for a summary count the observations of its encounter once.

A count reads up to 10 000 rows, many times the work of the rest of a summary. A stored count would have to follow every
assignment that is moved, every clock that is learnt and every erasure. A program that watches an encounter sends many
requests, and a count of the last second serves it as well.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.viewer import Viewer

CountObservations = Callable[[Database, Viewer, str], Awaitable[int]]
"""Count the observations of an encounter that the viewer may see."""

AGE_S_MAX = 1.0
"""Age of a count up to which it is returned again: with 10 summaries a second of one encounter, a tenth of the work."""
COUNTS_MAX = 4_096
"""Counts in memory, about 2 MB. The oldest one is dropped first, and then counted again."""


class RecentCounts:
    """Counts the observations of encounters, at most once in `AGE_S_MAX` for each encounter and viewer's rights."""

    def __init__(self, count: CountObservations, clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._counts: OrderedDict[tuple[Viewer, str], tuple[float, int]] = OrderedDict()

    async def count(self, database: Database, viewer: Viewer, encounter_id: str) -> int:
        # A viewer may be an actor, whose trace is another one for each request.
        key = Viewer(viewer.tenant_id, viewer.organization_id, viewer.clearance), encounter_id
        began_s = self._clock.monotonic_s()
        recent = self._counts.get(key)
        if recent is not None and began_s - recent[0] < AGE_S_MAX:
            return recent[1]
        counted = await self._count(database, viewer, encounter_id)
        self._counts[key] = began_s, counted
        self._counts.move_to_end(key)
        if len(self._counts) > COUNTS_MAX:
            self._counts.popitem(last=False)
        return counted
