"""Do the work that is due by time alone: remove expired rows, report devices and gateways that have fallen silent.

It belongs to the worker role, since one process does it for all. A chore works in chunks, each in its own transaction,
and is repeated until nothing is due. So the work keeps up with any rate at which rows are written, and no request waits
behind a long transaction. All chores take turns, so that a long one does not delay the others. When the database is
unavailable, the work is retried at the next run. Each slice decides which of its rows are due
(`cloud.foundation.db.chunks` deletes them); this module decides only when and how often.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.stopping import pause

EVERY_S = 600.0
"""Seconds between two runs. Rows are kept for days, so ten minutes more do not matter."""
WATCHES_EVERY_S = 10.0
"""Seconds between two runs of chores that people wait for: a silence is reported at most this much later."""
REST_S = 0.02
"""Seconds between two chunks. Writers that queued behind a chunk go first. With chunks of 1 000 rows, up to 50 000 rows
a second are still removed, ten times what one database stores."""
RUN_S_MAX = 600.0
"""Seconds after which a run ends although rows are left. It is logged, and the next run continues."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Chore:
    """One kind of due rows. `work(tx, now_us)` handles one chunk and returns its number of rows, 0 when none is due.

    It does not run before `not_before_us`. `repeats` False: one chunk a run, for work that must be spread over time.
    """

    name: str
    work: Callable[[Transaction, int], Awaitable[int]]
    not_before_us: int = 0
    repeats: bool = True


class Housekeeping:
    """Does its chores until a stop is requested."""

    def __init__(self, database: Database, clock: Clock, chores: Sequence[Chore], every_s: float = EVERY_S) -> None:
        self._database = database
        self._clock = clock
        self._chores = chores
        self._every_s = every_s

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.tidy(stopping)
            await pause(stopping, self._every_s)

    async def tidy(self, stopping: asyncio.Event | None = None) -> dict[str, int]:
        """Do every chore until nothing is due; return the rows by chore. A failed chore does not stop the others."""
        stopping = stopping or asyncio.Event()
        end_s = self._clock.monotonic_s() + RUN_S_MAX
        due = [chore for chore in self._chores if self._clock.now_us() >= chore.not_before_us]
        done: dict[str, int] = {}
        while due and not stopping.is_set():
            if self._clock.monotonic_s() >= end_s:
                log.warning("housekeeping.behind", chores=[chore.name for chore in due], after_s=RUN_S_MAX)
                break
            for chore in tuple(due):
                rows = await self._work_chunk(chore)
                if rows is not None:
                    done[chore.name] = done.get(chore.name, 0) + rows
                if not rows or not chore.repeats:
                    due.remove(chore)
            if due:
                await pause(stopping, REST_S)
        for name, rows in done.items():
            if rows:
                log.info("housekeeping.done", chore=name, rows=rows)
        return done

    async def _work_chunk(self, chore: Chore) -> int | None:
        """Handle one chunk; return its number of rows, None after an error of the database."""
        try:
            async with self._database.transaction() as tx:
                return await chore.work(tx, self._clock.now_us())
        except DomainError as error:
            log.warning("housekeeping.interrupted", chore=chore.name, code=error.code)
            return None
