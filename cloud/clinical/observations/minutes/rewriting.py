"""Write the partitions of minute rows again, of days whose rows were merged. PostgreSQL only.

A day that is over gets no new rows, so the room of the rows that were merged would stay unused until the day is
dropped, and a numeric would take as much space as before. The largest days have some gigabytes, which takes some
minutes, in which readers of the day wait, so this is a loop of its own and no chore, whose transactions are short.

The database has which days these are (`merged_days`), so a day that another worker merged, or that a worker left when
it ended, is written again too. Of several workers only one does so at a time.
"""

import asyncio

import structlog

from cloud.clinical.observations.arrival_days import MINUTE_DAYS
from cloud.clinical.observations.minutes.merged_days import SPARSE, sparse_days
from cloud.clinical.observations.minutes.store import DAY_LOCK, REWRITING_LOCK
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.stopping import pause

EVERY_S = 600.0
"""Seconds between two turns. A day becomes sparse once, so some minutes do not matter."""

log = structlog.get_logger()


class DayRewriter:
    """Writes the partitions of sparse days again. A day that fails, for instance since a reader used its partition for
    too long, is tried again in the next turn."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stopping: asyncio.Event) -> None:
        """Work every `EVERY_S` seconds until a stop is requested."""
        while not stopping.is_set():
            await self.turn(stopping)
            await pause(stopping, EVERY_S)

    async def turn(self, stopping: asyncio.Event | None = None) -> None:
        """Write the partitions again that are to be written now."""
        try:
            async with self._database.read() as tx:
                days = await sparse_days(tx)
            for day in days:
                if stopping and stopping.is_set():
                    return
                await self._database.run_alone(
                    MINUTE_DAYS.statement_to_rewrite(day, SPARSE, lock=REWRITING_LOCK, alone=DAY_LOCK)
                )
        except DomainError as error:
            log.warning("observations.days_not_rewritten", code=error.code)
