"""The database as services see it: durable transactions and consistent reads."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from cloud.foundation.db.damage import DamageNotes
from cloud.foundation.db.prepared import DialectName, Prepared, Values
from cloud.foundation.db.transaction import Transaction


class Database(Protocol):
    """A database of the cloud: a SQLite file or a database on a PostgreSQL server."""

    @property
    def dialect(self) -> DialectName: ...

    @property
    def damage(self) -> DamageNotes:
        """The count of statements on this database that met damaged data."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Run a block as one transaction, whose change is durable on disk before the caller continues.

        An exception rolls the change back. The block may await only its own statements, since on SQLite the block
        occupies the only writer. Raises `TransactionTooSlow` when the block took too long, and `CommitLost` when the
        change could not be made durable. In these two cases the change was rolled back. Raises `CommitUnknown` when
        PostgreSQL did not confirm the commit. The change may then be stored: look it up before you repeat a change that
        may be made only once.
        """
        ...

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """Run a block of reads that all see the same snapshot of the data. The database refuses changes."""
        ...

    def for_long_reads(self) -> "Database":
        """Return this database for reads that go through many rows once, such as those of an export. On SQLite their
        `read` uses connections with a small cache, so that memory does not grow with the number of rows."""
        ...

    async def peek(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        """Return the rows of one fast query by key, without the cost of a transaction. On SQLite, a query of more than
        a few milliseconds is stopped and runs again on another thread. Raises `DatabaseUnavailable`, and `ValueRefused`
        for an unusable value."""
        ...

    async def run_alone(self, statement: str) -> None:
        """Run a statement without a time limit: on PostgreSQL outside any transaction, such as CREATE INDEX
        CONCURRENTLY; on SQLite all other changes wait until it has ended. If the caller is cancelled, PostgreSQL ends
        the statement. Raises `DatabaseUnavailable`."""
        ...

    async def listen(
        self, channel: str, on_notification: Callable[[str], None], on_end: Callable[[], None] | None = None
    ) -> None:
        """Call `on_notification` with the text of each NOTIFY on a channel of PostgreSQL, until the caller is
        cancelled. After an interruption, call it with an empty text, since notifications may have been missed. Call
        `on_end` when the connection ends. SQLite has no notifications: return at once."""
        ...

    async def count_listeners(self, channel: str) -> int:
        """Return the number of connections that `listen` to a channel now, in all processes. SQLite has none."""
        ...

    async def empty_log(self) -> bool:
        """Move everything from SQLite's log to the database file, and empty the log. Return False if a transaction or
        another process uses the log at this moment. PostgreSQL recycles its log itself."""
        ...

    async def close(self) -> None:
        """Wait until the transactions in flight have ended, then close the connections."""
        ...
