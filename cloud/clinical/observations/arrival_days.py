"""The days of arrival of observations as partitions on PostgreSQL: divide the table, add days ahead, drop empty ones.

An observation lies in the partition of the day on which the cloud stored it, so backlog from the vehicles never belongs
to a closed partition, and a clock of 1970 makes none. After some days the values move to minute rows, and the empty
partition is dropped as a whole, which leaves no dead rows behind.

A background step divides the table. The rows that exist stay where they are: the table becomes the partition of all
observations without a day (`UNDATED`). A program of the release before, which names no day, writes there too, and so
does ingest if the partition of a day is missing: no batch is refused for lack of a partition. Posted observations and
waveforms stay there, because they never move to minute rows.

`KEPT_AHEAD` days exist in advance. `argus-cloud doctor` warns when fewer than `AHEAD_LEAST` are left.
"""

from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import CreateIndex

from cloud.clinical.observations.tables import UNDATED, lane_days, observation_minutes, observations
from cloud.foundation.db import SHORT_WAIT, Database, DayPartitions, Transaction
from cloud.foundation.step import LongStep, Report

DAY_US = 86_400_000_000
KEPT_AHEAD = 7
"""Partitions after today's. An operator has a week to notice that no worker runs."""
AHEAD_LEAST = 3
"""Partitions after today's below which `doctor` warns: a weekend is left."""
MINUTE_DAYS = DayPartitions(observation_minutes)
OBSERVATION_DAYS = DayPartitions(observations, ("lane_id", "sequence", "position"))
_UNDATED_TABLE = "observations_undated"
_CHECK = "ck_observations_undated"
_HAS_CHECK = text("SELECT count(*) FROM pg_constraint WHERE conname = CAST(:name AS text)")
_POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy types this one not yet


def dividing_step(database: Database) -> LongStep:
    """Return the background step that divides the table of observations into days."""
    return LongStep("observation_days", "divide the table of observations into days", DivideByDay(database).run)


class DivideByDay:
    """Makes the table of observations a partition of a new table with the same name. No row is moved or rewritten.

    PostgreSQL has to know that all rows of the table belong to the new partition. It reads them all, once, under a lock
    that no reader or writer notices. The exchange of the tables then takes a few milliseconds.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, _report: Report, _may_pause: bool) -> None:
        async with self._database.transaction() as tx:
            if tx.dialect != "postgresql" or await OBSERVATION_DAYS.is_divided(tx):
                return
            if not (await tx.execute(_HAS_CHECK, {"name": _CHECK})).scalar():
                await tx.execute(SHORT_WAIT)
                await tx.execute(
                    text(f"ALTER TABLE observations ADD CONSTRAINT {_CHECK} CHECK (day <= {UNDATED}) NOT VALID")
                )
        await self._database.run_alone(f"ALTER TABLE observations VALIDATE CONSTRAINT {_CHECK}")
        async with self._database.transaction() as tx:
            for statement in self._exchange():
                await tx.execute(text(statement))

    def _exchange(self) -> list[str]:
        indexes = sorted(observations.indexes, key=lambda index: str(index.name))
        return [
            str(SHORT_WAIT),
            f"ALTER TABLE observations RENAME TO {_UNDATED_TABLE}",
            *(
                f"ALTER INDEX {index.name} RENAME TO {str(index.name).replace('observations', _UNDATED_TABLE)}"
                for index in indexes
            ),
            f"CREATE TABLE observations (LIKE {_UNDATED_TABLE} INCLUDING DEFAULTS) PARTITION BY RANGE (day)",
            *(str(CreateIndex(index).compile(dialect=_POSTGRESQL)) for index in indexes),
            f"ALTER TABLE observations ATTACH PARTITION {_UNDATED_TABLE} FOR VALUES FROM (MINVALUE) TO ({UNDATED + 1})",
            f"ALTER TABLE {_UNDATED_TABLE} DROP CONSTRAINT {_CHECK}",
        ]


class DayKeeper:
    """Adds the partitions of the next days, and drops the empty partitions of past days: one in each transaction."""

    async def work(self, tx: Transaction, now_us: int) -> int:
        """Add or drop one partition; return 1, or 0 if nothing is to do."""
        today = now_us // DAY_US
        if tx.dialect != "postgresql":
            return 0
        if dropped := await self._drop_minutes(tx, today):
            return dropped
        if not await OBSERVATION_DAYS.is_divided(tx):
            return 0
        days = set(await OBSERVATION_DAYS.days(tx))
        missing = set(range(today, today + KEPT_AHEAD + 1)) - days
        if missing:
            await OBSERVATION_DAYS.add(tx, min(missing))
            return 1
        for day in sorted(day for day in days if day < today - 1):  # yesterday may still get a value at midnight
            if not await OBSERVATION_DAYS.has_rows(tx, day):
                await OBSERVATION_DAYS.drop(tx, day)
                return 1
        return 0

    async def _drop_minutes(self, tx: Transaction, today: int) -> int:
        """Drop the partition of a day whose minute rows were all deleted. Ingest may still add rows of today and of
        yesterday."""
        days = set(await MINUTE_DAYS.days(tx))
        used = {int(row.day) for row in await tx.execute(select(lane_days.c.day).distinct())} if days else days
        for day in sorted(day for day in days - used if day < today - 1):
            if not await MINUTE_DAYS.has_rows(tx, day):
                await MINUTE_DAYS.drop(tx, day)
                return 1
        return 0


async def may_add_days(tx: Transaction) -> bool:
    """Return whether the account may add the partitions of days. True on SQLite, which has none."""
    return await MINUTE_DAYS.may_add(tx) and await OBSERVATION_DAYS.may_add(tx)


async def days_ahead(tx: Transaction, now_us: int) -> int | None:
    """Return the number of days after today for which a partition exists, without a gap; None if the table has no
    partitions."""
    if not await OBSERVATION_DAYS.is_divided(tx):
        return None
    days, today = set(await OBSERVATION_DAYS.days(tx)), now_us // DAY_US
    ahead = 0
    while today + ahead + 1 in days:
        ahead += 1
    return ahead
