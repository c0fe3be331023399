"""The interface of a database to services: durable transactions and consistent reads."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from cloud.foundation.db.damage import DamageNotes
from cloud.foundation.db.prepared import DialectName, Prepared, Values
from cloud.foundation.db.transaction import Transaction


class Database(Protocol):
    """A SQLite or PostgreSQL database."""

    @property
    def dialect(self) -> DialectName: ...

    @property
    def damage(self) -> DamageNotes:
        """The damage that statements on this database have met."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Run a block as one transaction.

        When the block ends normally, this returns after the change is durable on disk; an exception rolls the change
        back. The block may await only its own statements: on SQLite it holds the one writer. Raises `CommitLost` when
        the change was rolled back because it could not be made durable. Raises `CommitUnknown` when PostgreSQL did not
        confirm the commit, so that the caller must check before it repeats a change that may be made only once. Raises
        `TransactionTooSlow` when the block took too long and was rolled back.
        """
        ...

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """Run a block on one snapshot: all reads see the same state. Changes are refused."""
        ...

    async def peek(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        """Return the rows of one query that finds few rows by key, without a transaction around it.

        On the hot path, BEGIN and COMMIT (PostgreSQL) or the switch to another thread and back (SQLite) would cost
        several times the query itself. A query that takes long is run as in `read()`. Raises the errors of
        `Driver.rows`.
        """
        ...

    async def revision(self) -> str | None:
        """Return the migration revision of the database, None when it has none."""
        ...

    async def close(self) -> None:
        """Close the connections after the transactions in flight have ended."""
        ...
