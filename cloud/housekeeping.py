"""Removes what has outlived its time: idempotency keys after their window, audit entries after their retention.

It belongs to the worker role, since one process does it for all. A portion at a time, so that no request waits behind a
long delete, and again after a while; a database that is away is waited for. Which rows are old is each slice's own
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

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Chore:
    """One table's old rows. `remove(tx, now_us)` says how many went."""

    name: str
    remove: Callable[[Transaction, int], Awaitable[int]]


class Housekeeping:
    """Does its chores until it is asked to stop."""

    def __init__(self, database: Database, clock: Clock, chores: Sequence[Chore]) -> None:
        self._database = database
        self._clock = clock
        self._chores = chores

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.tidy()
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await stopping.wait()

    async def tidy(self) -> dict[str, int]:
        """Each chore once, in a transaction of its own; how many rows each removed. One that fails stops no other."""
        removed: dict[str, int] = {}
        for chore in self._chores:
            try:
                async with self._database.transaction() as tx:
                    removed[chore.name] = await chore.remove(tx, self._clock.now_us())
            except DomainError as error:
                log.warning("housekeeping.interrupted", chore=chore.name, code=error.code)
                continue
            if removed[chore.name]:
                log.info("housekeeping.removed", chore=chore.name, rows=removed[chore.name])
        return removed
