"""Does what is due with time alone: removes what has outlived its time, tells what has fallen silent.

It belongs to the worker role, since one process does it for all. A portion at a time, so that no request waits behind a
long delete, and again after a while; a database that is away is waited for. Which rows are due is each slice's own
knowledge; here stands only when they are asked. Events, spans and revocations are removed by those who write them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from cloud.clock import Clock
from cloud.db import Database, Transaction
from cloud.errors import DomainError

EVERY_S = 600.0
"""Often enough that a day's rows go in small portions."""
WATCHES_EVERY_S = 10.0
"""For chores that somebody waits for: silence is told so much later than it begins to count."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Chore:
    """One kind of due rows. `work(tx, now_us)` deals with a portion and says how many those were; never before
    `not_before_us`."""

    name: str
    work: Callable[[Transaction, int], Awaitable[int]]
    not_before_us: int = 0


class Housekeeping:
    """Does its chores until it is asked to stop."""

    def __init__(self, database: Database, clock: Clock, chores: Sequence[Chore], every_s: float = EVERY_S) -> None:
        self._database = database
        self._clock = clock
        self._chores = chores
        self._every_s = every_s

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.tidy()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await stopping.wait()

    async def tidy(self) -> dict[str, int]:
        """Each chore once, in a transaction of its own; how many rows that were. One that fails stops no other."""
        done: dict[str, int] = {}
        for chore in self._chores:
            if self._clock.now_us() < chore.not_before_us:
                continue
            try:
                async with self._database.transaction() as tx:
                    done[chore.name] = await chore.work(tx, self._clock.now_us())
            except DomainError as error:
                log.warning("housekeeping.interrupted", chore=chore.name, code=error.code)
                continue
            if done[chore.name]:
                log.info("housekeeping.done", chore=chore.name, rows=done[chore.name])
        return done
