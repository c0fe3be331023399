"""Partitions of a table by day on PostgreSQL: list, add, write again and drop them. SQLite has no partitions.

Our own code instead of pg_partman: pg_partman needs an extension on the server, and a failed drop there also undoes the
creation of new partitions. Here each change is a transaction of its own. A table has no default partition, since adding
a partition would then scan it under a lock.

A change waits at most `LOCK_S` for its locks, because everything that uses the table queues behind it. If that time
passes, the transaction fails with `DatabaseUnavailable`, and the caller tries again later.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import BindParameter, Integer, Table, bindparam, text

from cloud.foundation.db.transaction import Rows, Transaction

LOCK_S = 2
"""Seconds that a change waits for its locks: longer than most requests, and short for those that queue behind it."""
SHORT_WAIT = text(f"SET LOCAL lock_timeout = '{LOCK_S}s'")
"""Statement that limits the wait for the locks of a transaction's further statements."""
ANALYZED_AFTER = 1_000
"""Changes of a partition after which autovacuum analyses it at the earliest, as in the tables of ingest (migration
0062). After the 50 of the default a small partition is analysed each minute, which writes further pages."""
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
_COMMENT = text("SELECT obj_description(to_regclass(CAST(:table AS text)), 'pg_class')")
_LIST_WITH_COMMENT = text(
    "SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid JOIN pg_description ON objoid = inhrelid"
    " WHERE inhparent = to_regclass(CAST(:table AS text)) AND classoid = CAST('pg_class' AS regclass)"
    " AND objsubid = 0 AND description = CAST(:comment AS text) ORDER BY relname"
)


def literal_days(days: Iterable[int]) -> BindParameter[int]:
    """Return days for `IN`, as numbers in the text of the statement instead of parameters, so that each plan of the
    statement locks the partitions of these days only.

    With parameters, PostgreSQL makes a plan without their values when a connection runs a statement for the sixth time.
    It locks all partitions, so it would wait for one of another day that is written again (`statement_to_rewrite`)."""
    return bindparam(None, sorted(days), type_=Integer(), expanding=True, literal_execute=True)


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
        return self._days_of(await tx.execute(_LIST, {"table": self._table.name}))

    async def days_with_comment(self, tx: Transaction, comment: str) -> Sequence[int]:
        """Return the days whose partition has this comment, in ascending order; none on SQLite."""
        if tx.dialect != "postgresql":
            return ()
        return self._days_of(await tx.execute(_LIST_WITH_COMMENT, {"table": self._table.name, "comment": comment}))

    async def comment_of(self, tx: Transaction, day: int) -> str | None:
        """Return the comment of the partition of this day; None if it has none, without a partition, and on SQLite."""
        if tx.dialect != "postgresql":
            return None
        found = (await tx.execute(_COMMENT, {"table": self.name_of(day)})).scalar()
        return None if found is None else str(found)

    async def set_comment(self, tx: Transaction, day: int, comment: str) -> None:
        """Set the comment of the partition of this day. Readers and writers of the partition continue."""
        await tx.execute(SHORT_WAIT)
        await tx.execute(text(f"COMMENT ON TABLE {self.name_of(day)} IS {_quoted(comment)}"))

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
            f"CREATE TABLE {name} (LIKE {parent} INCLUDING ALL) WITH (autovacuum_analyze_threshold = {ANALYZED_AFTER})",
            *key,
            f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({day}) TO ({day + 1})",
        )

    async def drop(self, tx: Transaction, day: int) -> None:
        """Drop a partition with its rows."""
        await tx.execute(SHORT_WAIT)
        await tx.execute(text(f"DROP TABLE {self.name_of(day)}"))

    def statement_to_rewrite(self, day: int, comment: str, *, lock: int, alone: int) -> str:
        """Return the statement that writes the partition of a day again in the order of its key, so that it has no room
        of deleted rows, and removes its comment. It does nothing if the partition has another comment or does not
        exist, or if another program holds the advisory lock `alone`, since that one writes such a day. It holds the
        advisory lock `lock` too, for which it waits.

        Readers and changes of the partition wait. Those of other days do not, as far as their statements have the days
        in their texts (`literal_days`). A copy of the rows into a new partition would let readers continue, but a
        reader whose snapshot is older than the copy, also one that waits for the exchange, would see none of the rows.
        CLUSTER keeps which transaction sees a row."""
        name = self.name_of(day)
        has_other = f"obj_description(to_regclass('{name}'), 'pg_class') IS DISTINCT FROM {_quoted(comment)}"
        statements = (
            f"SET LOCAL lock_timeout = '{LOCK_S}s'",
            f"IF NOT pg_try_advisory_xact_lock({alone}) THEN RETURN; END IF",
            f"PERFORM pg_advisory_xact_lock({lock})",
            f"IF {has_other} THEN RETURN; END IF",
            f"CLUSTER {name} USING {name}_pkey",
            f"COMMENT ON TABLE {name} IS NULL",
        )
        # Another program may drop the partition while this one waits for its lock.
        return f"DO $$ BEGIN {'; '.join(statements)}; EXCEPTION WHEN undefined_table THEN NULL; END $$"

    def name_of(self, day: int) -> str:
        """Return the name of the table that is the partition of this day, such as `observation_minutes_20270115`."""
        return f"{self._table.name}_{_FIRST_DAY + timedelta(days=day):%Y%m%d}"

    def _days_of(self, rows: Rows) -> list[int]:
        return sorted(day for row in rows if (day := self._day_of(str(row[0]))) is not None)

    def _day_of(self, name: str) -> int | None:
        date = name.removeprefix(f"{self._table.name}_")
        if len(date) != len("20270115") or not date.isdecimal():
            return None
        return (datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC) - _FIRST_DAY).days


def _quoted(comment: str) -> str:
    """Return a comment as SQL text. COMMENT takes no parameters."""
    assert not {"'", "\\", "$", ":"}.intersection(comment), "a text that we made"
    return f"'{comment}'"
