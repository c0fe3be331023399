"""Watch the database for damage, and report it in health, log and metrics.

On SQLite, the watch examines one table every ten minutes, and the whole file after a request has met damage. PostgreSQL
checks pages when it reads them, so there the watch only reports damage that requests met. Nothing is repaired: the
operator decides (docs/operator.md, "A damaged database").
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import (
    SCHEMA,
    TABLE_S_MAX,
    Damage,
    Database,
    Examined,
    SqliteDatabase,
    examine_all,
    examine_file,
    examine_table,
    tables_of,
)
from cloud.foundation.observability import DATABASE_DAMAGED, Metrics, Sampler
from cloud.foundation.stopping import pause

CHECK_EVERY_S = 600.0
"""Interval between two tables; with about fifty tables, each is examined three times a day."""
LOOK_EVERY_S = 1.0
"""Seconds between two checks whether a request has met damage."""
ALL_S_MAX = 300.0
"""Limit for an examination of the whole file after damage was met."""
MET = "met by a request"
NAMED_MAX = 5
"""Greatest number of damaged parts that one sentence names."""

log = structlog.get_logger()


class IntegrityWatch:
    """Looks for damage in the database of this process. It is also a readiness check of `/health/ready`."""

    part = "integrity"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._found: dict[str, Sequence[Damage]] = {}
        self._to_examine: list[str] = []
        self._everything_from_s = 0.0

    @property
    def damages(self) -> Mapping[str, str]:
        """A mapping from the name of each damaged part to the first finding about it."""
        return {one.part: one.finding for found in self._found.values() for one in reversed(found)}

    async def why_not(self) -> str | None:
        if self._found:
            named = "; ".join(f"{part} ({finding})" for part, finding in list(self.damages.items())[:NAMED_MAX])
            return f"The database is damaged: {named}."
        if self._database.damage.pending:
            return "The database is damaged; which part is being examined."
        return None

    async def run(self, stopping: asyncio.Event) -> None:
        next_s = self._clock.monotonic_s() + CHECK_EVERY_S
        while not stopping.is_set():
            if self._database.damage.pending and self._clock.monotonic_s() >= self._everything_from_s:
                await self.examine_everything()
                self._everything_from_s = self._clock.monotonic_s() + CHECK_EVERY_S
            elif self._clock.monotonic_s() >= next_s:
                next_s = self._clock.monotonic_s() + CHECK_EVERY_S
                await self.examine_next()
            await pause(stopping, LOOK_EVERY_S)

    async def examine_next(self) -> None:
        """Examine the next table of a SQLite file or, after the last table, the structure of the file."""
        database = self._database
        if not isinstance(database, SqliteDatabase):
            return
        path = database.path
        if not self._to_examine:
            try:
                self._to_examine = [*await asyncio.to_thread(tables_of, path), ""]
            except sqlite3.DatabaseError as error:
                self._learn([Examined(SCHEMA, [Damage(SCHEMA, type(error).__name__)])])
                return
        table = self._to_examine.pop(0)
        work = asyncio.to_thread(examine_table, path, table) if table else asyncio.to_thread(examine_file, path)
        self._learn([await work])

    async def examine_everything(self) -> None:
        """Examine the whole SQLite file after a request met damage. On PostgreSQL, only record the damage."""
        database = self._database
        if isinstance(database, SqliteDatabase):
            found = await asyncio.to_thread(lambda: list(examine_all(database.path, ALL_S_MAX)))
            self._learn(found)
            if not self._found:  # the damage is in a value, or in a table that is too large to be examined
                self._found[MET] = [Damage("a part that the examination does not find", "met by a request")]
        else:
            self._found[MET] = [Damage("data of the server", "see its log")]
        database.damage.pending = 0

    def _learn(self, examined: Iterable[Examined]) -> None:
        for one in examined:
            if not one.finished:
                log.warning("database.examination_unfinished", part=one.part, after_s=TABLE_S_MAX)
                continue
            known = self.damages
            for damage in one.damages:
                if damage.part not in known:
                    log.error("database.damaged", database=self._where, part=damage.part, finding=damage.finding)
            if one.damages:
                self._found[one.part] = one.damages
            else:
                self._found.pop(one.part, None)  # the part was repaired

    @property
    def _where(self) -> str:
        return str(self._database.path) if isinstance(self._database, SqliteDatabase) else self._database.dialect


def integrity_sampler(watch: IntegrityWatch) -> Sampler:
    """Return the function that sets the metric of damage at each scrape: 1 while damage is known, else 0."""

    async def sample(metrics: Metrics) -> None:
        metrics.set(DATABASE_DAMAGED, await watch.why_not() is not None)

    return sample
