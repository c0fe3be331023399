"""Partitions of a table by day on PostgreSQL: list, add and drop them. SQLite has no partitions.

Our own code instead of pg_partman: pg_partman needs an extension on the server, and a failed drop there also undoes the
creation of new partitions. Here each change is a transaction of its own. A table has no default partition, since adding
a partition would then scan it under a lock.

A change waits at most `LOCK_S` for its locks, because everything that uses the table queues behind it. If that time
passes, the transaction fails with `DatabaseUnavailable`, and the caller tries again later.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Table, text

from cloud.foundation.db.transaction import Transaction

LOCK_S = 2
"""Seconds that a change waits for its locks: longer than most requests, and short for those that queue behind it."""
SHORT_WAIT = text(f"SET LOCAL lock_timeout = '{LOCK_S}s'")
"""Statement that limits the wait for the locks of a transaction's further statements."""
_FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)
_LIST = text(
    "SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid"
    " WHERE inhparent = to_regclass(CAST(:table AS text)) ORDER BY relname"
)
_KIND = text("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(CAST(:table AS text))")
_MAY_ADD = text(
    "SELECT has_schema_privilege(current_schema(), 'CREATE') AND pg_has_role(relowner, 'USAGE')"
    " FROM pg_class WHERE oid = to_regclass(CAST(:table AS text))"
)
_HAS = text("SELECT to_regclass(CAST(:table AS text)) IS NOT NULL")


class DayPartitions:
    """The partitions of one table, each of which has the rows of one day (number of days since 1970, UTC). `key` are
    the columns of a primary key that each partition has, and the table as a whole has not."""

    def __init__(self, table: Table, key: Sequence[str] = ()) -> None:
        self._table = table
        self._key = key

    async def is_divided(self, tx: Transaction) -> bool:
        """Return whether the table has partitions, or can have some: never on SQLite."""
        return tx.dialect == "postgresql" and bool((await tx.execute(_KIND, {"table": self._table.name})).scalar())

    async def days(self, tx: Transaction) -> Collection[int]:
        """Return the days that have a partition, in ascending order; none on SQLite."""
        if tx.dialect != "postgresql":
            return ()
        names = [str(row[0]) for row in await tx.execute(_LIST, {"table": self._table.name})]
        return sorted(day for name in names if (day := self._day_of(name)) is not None)

    async def has(self, tx: Transaction, day: int) -> bool:
        """Return whether there is a partition of this day. PostgreSQL only."""
        return bool((await tx.execute(_HAS, {"table": self.name_of(day)})).scalar())

    async def has_rows(self, tx: Transaction, day: int) -> bool:
        """Return whether the partition of this day has a row."""
        return bool((await tx.execute(text(f"SELECT EXISTS (SELECT 1 FROM {self.name_of(day)})"))).scalar())  # noqa: S608  a name that we made

    async def may_add(self, tx: Transaction) -> bool:
        """Return whether this account may add partitions: it may create tables, and owns the table. True on SQLite."""
        if tx.dialect != "postgresql":
            return True
        return bool((await tx.execute(_MAY_ADD, {"table": self._table.name})).scalar())

    async def add(self, tx: Transaction, day: int) -> None:
        """Add an empty partition. Readers and writers of the table continue."""
        await tx.execute(SHORT_WAIT)
        for statement in self.statements_to_add(day):
            await tx.execute(text(statement))

    def statements_to_add(self, day: int) -> tuple[str, ...]:
        """Return the statements that add an empty partition. A new table is attached, because CREATE TABLE … PARTITION
        OF would lock the whole table."""
        parent, name = self._table.name, self.name_of(day)
        key = (f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(self._key)})",) if self._key else ()
        return (
            f"CREATE TABLE {name} (LIKE {parent} INCLUDING ALL)",
            *key,
            f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({day}) TO ({day + 1})",
        )

    async def drop(self, tx: Transaction, day: int) -> None:
        """Drop a partition with its rows."""
        await tx.execute(SHORT_WAIT)
        await tx.execute(text(f"DROP TABLE {self.name_of(day)}"))

    def name_of(self, day: int) -> str:
        """Return the name of the table that is the partition of this day, such as `observation_minutes_20270115`."""
        return f"{self._table.name}_{_FIRST_DAY + timedelta(days=day):%Y%m%d}"

    def _day_of(self, name: str) -> int | None:
        date = name.removeprefix(f"{self._table.name}_")
        if len(date) != len("20270115") or not date.isdecimal():
            return None
        return (datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC) - _FIRST_DAY).days
