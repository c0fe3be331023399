"""Partitions of a table by day on PostgreSQL: list, add and drop them. SQLite has no partitions.

Our own code instead of pg_partman: pg_partman needs an extension on the server, and a failed drop there also undoes the
creation of new partitions. Here each change is a transaction of its own. A table has no default partition, since adding
a partition would then scan it under a lock.

A change waits at most `LOCK_S` for its locks, because everything that uses the table queues behind it. If
that time passes, the transaction fails with `DatabaseUnavailable`, and the caller tries again later.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import Table, text

from cloud.foundation.db.transaction import Transaction

LOCK_S = 2
"""Seconds that a change waits for its locks: longer than most requests, and short for those that queue behind it."""
_FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)
_LIST = text(
    "SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid"
    " WHERE inhparent = CAST(:table AS text)::regclass ORDER BY relname"
)


class DayPartitions:
    """The partitions of one table, each of which has the rows of one day (number of days since 1970, UTC). On SQLite,
    every day exists always."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def days(self, tx: Transaction) -> Collection[int]:
        """Return the days that have a partition, none on SQLite."""
        if tx.dialect != "postgresql":
            return ()
        rows = await tx.execute(_LIST, {"table": self._table.name})
        return sorted(self._day_of(str(row[0])) for row in rows)

    async def add(self, tx: Transaction, day: int) -> None:
        """Add an empty partition. Readers and writers of the table continue."""
        await tx.execute(text(f"SET LOCAL lock_timeout = '{LOCK_S}s'"))
        for statement in self.statements_to_add(day):
            await tx.execute(text(statement))

    def statements_to_add(self, day: int) -> tuple[str, ...]:
        """Return the statements that add an empty partition. A new table is attached, because CREATE TABLE … PARTITION
        OF would lock the whole table."""
        parent, name = self._table.name, self.name_of(day)
        return (
            f"CREATE TABLE {name} (LIKE {parent} INCLUDING ALL)",
            f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({day}) TO ({day + 1})",
        )

    async def drop(self, tx: Transaction, day: int) -> None:
        """Drop a partition with its rows."""
        await tx.execute(text(f"SET LOCAL lock_timeout = '{LOCK_S}s'"))
        await tx.execute(text(f"DROP TABLE {self.name_of(day)}"))

    def name_of(self, day: int) -> str:
        """Return the name of the table that is the partition of this day, such as `observation_minutes_20270115`."""
        return f"{self._table.name}_{_FIRST_DAY + timedelta(days=day):%Y%m%d}"

    def _day_of(self, name: str) -> int:
        at = datetime.strptime(name.removeprefix(f"{self._table.name}_"), "%Y%m%d").replace(tzinfo=UTC)
        return (at - _FIRST_DAY).days
