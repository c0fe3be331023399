"""Let statuses wait for the rows of batches that another process has staged.

The acknowledgements after a status are of what the database has, so before the first status of a gateway the rows of
its batches must be written that came to another process until now. That process may have ended, and then they are read
from the object store. Only these statuses wait, and nothing that is behind them.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from cloud.foundation.errors import DomainError
from cloud.vehicles.ingest.delivery_group import Group, joined
from cloud.vehicles.ingest.settled_gateways import SettledGateways

log = structlog.get_logger()


class LateStatuses:
    """A queue of statuses. `settle` writes the rows of what other processes have staged. The source limits the number
    of messages that are not accepted yet, and of each gateway only the last status is written."""

    def __init__(self, settled: SettledGateways, settle: Callable[[], Awaitable[None]]) -> None:
        self._settled = settled
        self._settle = settle
        self._queued = Group()
        self._work = asyncio.Event()

    def take_from(self, group: Group) -> Group:
        """Remove from a group the statuses that are to wait, and return them. The caller writes the group, which may
        have batches of the same gateways, and then calls `put`."""
        return group.take_statuses({name for name in group.statuses if name not in self._settled})

    def put(self, late: Group) -> None:
        if late.deliveries:
            self._queued = joined([self._queued, late])
            self._work.set()

    async def next(self) -> Group:
        """Wait for statuses, and return them when the rows of what others have staged are written. If that is not
        possible now, gateways resend what the database does not have, and it is not stored twice."""
        await self._work.wait()
        self._work.clear()
        late, self._queued = self._queued, Group()
        moves = self._settled.moves
        try:
            await self._settle()
        except DomainError as error:
            log.warning("ingest.staged_not_written", code=error.code)
        else:
            self._settled.add(late.statuses, moves)
        return late
