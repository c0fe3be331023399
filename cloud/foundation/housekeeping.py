"""Run chores: work that becomes due by time, such as deleting expired rows and reporting silent devices.

A chore handles its due rows in chunks, each in its own transaction, so no request is delayed by a long transaction.
After each chunk, the next chore has its turn, so a long chore does not delay the others. Each slice decides which of
its rows are due; this module decides when chores run.
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
"""Seconds between two runs of chores that users wait for. A device's silence is reported at most this much later."""
REST_S = 0.02
"""Seconds between two chunks, for queued writers: still 50 000 rows a second, ten times what one database stores."""
RUN_S_MAX = 600.0
"""Seconds after which a run ends although rows are left. This is logged, and the next run continues."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Chore:
    """The regular work on one kind of due rows. `work(tx, now_us)` handles one chunk and returns its number of rows, 0
    when none is due. `work` is not called before `not_before_us`. With `repeats` False, `work` is called once in each
    run, to spread the load over time."""

    name: str
    work: Callable[[Transaction, int], Awaitable[int]]
    not_before_us: int = 0
    repeats: bool = True


class Housekeeping:
    """Runs its chores (work on due rows) every `every_s` seconds until a stop is requested."""

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
        """Run every chore (work on due rows) until no row is due, a stop is requested, or `RUN_S_MAX` has passed.
        Return a mapping from chore names to numbers of handled rows. A chore that fails does not stop the others, and
        is retried in the next run."""
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
        """Handle one chunk of the due rows of a chore; return the number of rows, or None after an error of the
        database."""
        try:
            async with self._database.transaction() as tx:
                return await chore.work(tx, self._clock.now_us())
        except DomainError as error:
            log.warning("housekeeping.interrupted", chore=chore.name, code=error.code)
            return None
