"""The database as services see it: durable transactions and consistent reads."""

from collections.abc import Sequence
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
        """Run a block as one transaction.

        When the block ends normally, the change is durable on disk before the caller continues. An exception in the
        block rolls the change back. The block may await only its own statements, since on SQLite it occupies the only
        writer. Raises `CommitLost` when the change was rolled back because it could not be made durable. Raises
        `CommitUnknown` when PostgreSQL did not confirm the commit: the caller must check before it repeats a change
        that may be made only once. Raises `TransactionTooSlow` when the block took too long and was rolled back.
        """
        ...

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """Run a block of reads that all see the same snapshot of the data. The database refuses changes."""
        ...

    async def peek(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        """Return the rows of one fast query by key, without a transaction around it.

        On the hot path, BEGIN and COMMIT (PostgreSQL) or the switch to another thread and back (SQLite) would cost
        several times as much as the query. On SQLite, a query that takes longer than a few milliseconds is stopped and
        runs again on another thread. Raises the errors of `Driver.rows`.
        """
        ...

    async def revision(self) -> str | None:
        """Return the newest migration that the database has, as `0012`; None when it has none."""
        ...

    async def close(self) -> None:
        """Wait until the transactions in flight have ended, then close the connections."""
        ...
