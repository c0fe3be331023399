"""A database as the services see it: transactions that are durable when they end, reads of one moment."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from cloud.foundation.db.damage import DamageNotes
from cloud.foundation.db.prepared import DialectName, Prepared, Values
from cloud.foundation.db.transaction import Transaction


class Database(Protocol):
    """SQLite or PostgreSQL behind the same two verbs."""

    @property
    def dialect(self) -> DialectName: ...

    @property
    def damage(self) -> DamageNotes:
        """The damage that its statements have met."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """All or nothing.

        Leaving the block normally returns when the change is durable on disk; an exception undoes it.

        The block may await only its own statements: on SQLite it holds the one writer. Raises `CommitLost` when the
        change could not be made durable and did not happen, `CommitUnknown` when PostgreSQL did not confirm it, so that
        the caller must look before it repeats what may be done only once, `TransactionTooSlow` when the block took too
        long and was undone.
        """
        ...

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """A look at one moment: everything read in the block belongs together. Changes are refused."""
        ...

    async def peek(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        """The rows of one query that finds few rows by key, without a transaction around it.

        On the hot path BEGIN and COMMIT (PostgreSQL) or the way to another thread and back (SQLite) would cost several
        times the look itself. A query that turns out long is run as in `read()`. Raises what `Driver.rows` does.
        """
        ...

    async def revision(self) -> str | None:
        """The migration that the database stands at, None when it has none."""
        ...

    async def close(self) -> None:
        """End the connections. Transactions in flight are awaited first."""
        ...
