"""PostgreSQL for fleets: asyncpg is the driver, and SQLAlchemy only compiles the statements.

The server makes changes durable: `synchronous_commit` stays on, and its group commit merges concurrent fsyncs.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from cloud.foundation.db.address import PostgresqlAddress
from cloud.foundation.db.core_statements import CoreStatements
from cloud.foundation.db.damage import DamageNotes
from cloud.foundation.db.errors import (
    CommitUnknown,
    DatabaseAbsent,
    DatabaseUnavailable,
    TransactionTooSlow,
    ValueRefused,
)
from cloud.foundation.db.observed import ObservedBlock
from cloud.foundation.db.postgresql_failures import DRIVER_ERRORS, commit_failure
from cloud.foundation.db.postgresql_listener import LISTENERS, Listener
from cloud.foundation.db.postgresql_pool import ConnectionPool, connect
from cloud.foundation.db.postgresql_transaction import PostgresqlTransaction, our_errors
from cloud.foundation.db.prepared import DialectName, Prepared, Values
from cloud.foundation.trace import SpanTimer

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

# A `peek` at a few rows is short, so a few connections serve hundreds at a time. Four are too few where the server and
# its database share two cores (measured: a third less), and more than eight bring no gain.
PEEKERS = 8
TRANSACTION_S_MAX = 30.0
# A server that does not respond to ROLLBACK at once hangs or has stopped: closing the connection rolls back as well.
UNDO_S_MAX = 1.0
# READ WRITE is the default. It is explicit so that a server that has become a standby refuses at BEGIN and not later.
CHANGING = "BEGIN READ WRITE"
# With repeatable read, all reads in the block see one snapshot, as with SQLite's readers.
READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Attributes of a span: the text of a statement is none, since it may have values.
_SPAN = {"db.system.name": "postgresql"}
_CORE = CoreStatements()
"""The compiled statements of all databases of this process, since a text depends on the structure of its statement
alone."""


class PostgresqlDatabase:
    """A database on a PostgreSQL server. `open_database` makes this object."""

    dialect: DialectName = "postgresql"

    def __init__(self, address: PostgresqlAddress) -> None:
        self.damage = DamageNotes("postgresql")
        self.transaction_s_max = TRANSACTION_S_MAX
        self._address = address
        self._pool = ConnectionPool(address)
        self._peeking = asyncio.Semaphore(PEEKERS)

    async def open(self) -> None:
        """Connect to the database. Raises `DatabaseAbsent` if it has no tables, ours or another program's."""
        found = text("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() LIMIT 1")
        try:
            async with self.read() as tx:
                if (await tx.execute(found)).first() is None:
                    raise DatabaseAbsent("(There are no tables in it.)")
        except BaseException:
            await self.close()
            raise

    @asynccontextmanager
    async def _begun(self, begin: str) -> AsyncIterator[PostgresqlTransaction]:
        committing = False
        try:
            async with asyncio.timeout(self.transaction_s_max) as limit:
                raw = await self._connection(begin)
                try:
                    yield PostgresqlTransaction(raw, _CORE)
                    committing = True
                    await _commit(raw)
                except BaseException:
                    # In a task of its own, so that a caller who is cancelled again leaves no transaction open.
                    await asyncio.shield(self._undo(raw))
                    raise
                await self._pool.give_back(raw)
        except TimeoutError:
            if not limit.expired():
                raise
            if committing and begin == CHANGING:
                raise CommitUnknown(f"(no response within {self.transaction_s_max:g} s)") from None
            raise TransactionTooSlow from None

    async def _connection(self, begin: str) -> "PoolConnectionProxy[Any]":
        """Return a connection on which the statement `begin` has begun a transaction."""
        raw = await self._pool.take()
        try:
            return await self._begin(raw, begin)
        except DatabaseUnavailable:
            # The server was restarted while the connection was idle, so all other idle connections are broken too.
            await self._pool.drop_idle()
        return await self._begin(await self._pool.take(), begin)

    async def _begin(self, raw: "PoolConnectionProxy[Any]", statement: str) -> "PoolConnectionProxy[Any]":
        """Begin a transaction. Raises `DatabaseUnavailable` for any error, since the constant statement cannot be the
        cause."""
        try:
            await raw.execute(statement)
        except DRIVER_ERRORS as error:
            self._pool.drop(raw)
            raise DatabaseUnavailable(f"({type(error).__name__})") from None
        except BaseException:
            self._pool.drop(raw)
            raise
        return raw

    async def _undo(self, raw: "PoolConnectionProxy[Any]") -> None:
        """Roll back. If the server does not confirm within `UNDO_S_MAX`, closing the connection rolls back."""
        try:
            async with asyncio.timeout(UNDO_S_MAX):
                await raw.execute("ROLLBACK")
        except BaseException as error:
            self._pool.drop(raw)
            if not isinstance(error, DRIVER_ERRORS):  # a TimeoutError is an OSError
                raise
        else:
            await self._pool.give_back(raw)

    def transaction(self) -> AbstractAsyncContextManager[PostgresqlTransaction]:
        return ObservedBlock("db.transaction", _SPAN, self.damage, self._begun(CHANGING))

    def read(self) -> AbstractAsyncContextManager[PostgresqlTransaction]:
        return ObservedBlock("db.read", _SPAN, self.damage, self._begun(READING))

    def for_long_reads(self) -> "PostgresqlDatabase":
        return self  # the server caches, and a connection has no memory of the rows that it returned

    async def peek(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        with SpanTimer("db.peek", "client", _SPAN), self.damage:
            async with self._peeking:
                return await self._peeked_again(statement, values)

    async def _peeked_again(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        """Run a query on an idle connection or, if there is none, on a new one. If the idle connection proves to be
        broken, run the query again on a new connection."""
        kept = self._pool.has_idle
        try:
            return await self._peeked(statement, values)
        except DatabaseUnavailable:
            if not kept:
                raise
        await self._pool.drop_idle()  # the server was restarted since the connection was last used
        return await self._peeked(statement, values)

    async def _peeked(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        ready = statement.on("postgresql")
        raw = await self._pool.take()
        try:
            with our_errors():
                found: Sequence[Sequence[Any]] = await raw.fetch(
                    ready.text, *ready.arguments(values), timeout=self.transaction_s_max
                )
        except ValueRefused:
            await self._pool.give_back(raw)
            raise
        except BaseException:
            self._pool.drop(raw)  # its state is unknown
            raise
        await self._pool.give_back(raw)
        return found

    async def run_alone(self, statement: str) -> None:
        raw = await connect(self._address)
        try:
            with our_errors():
                await raw.execute("SET statement_timeout = 0; SET lock_timeout = 0")
                await raw.execute(statement)
        finally:
            raw.terminate()

    async def listen(
        self, channel: str, on_notification: Callable[[str], None], on_end: Callable[[], None] | None = None
    ) -> None:
        await Listener(self._address, channel, on_notification, on_end).run()

    async def count_listeners(self, channel: str) -> int:
        return int((await self.peek(LISTENERS, {"channel": channel}))[0][0])

    async def empty_log(self) -> bool:
        return True

    async def close(self) -> None:
        await self._pool.close()


async def _commit(raw: "PoolConnectionProxy[Any]") -> None:
    """Commit. Raises `CommitLost` when the server refused, `CommitUnknown` when it did not respond."""
    try:
        status = await raw.execute("COMMIT")
    except DRIVER_ERRORS as error:
        raise commit_failure(error) from None
    if status == "ROLLBACK":  # PostgreSQL's response to COMMIT of a failed transaction
        raise commit_failure(RuntimeError())
