"""PostgreSQL for fleets: asyncpg is the driver, and SQLAlchemy builds the statements.

Compiled statements run directly on the driver, so SQLAlchemy does not notice them. They must share a transaction with
Core statements, so BEGIN and COMMIT are sent on the driver's connection too, and SQLAlchemy is in autocommit mode. The
server makes changes durable: `synchronous_commit` stays on, and its group commit merges concurrent fsyncs.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Executable, Table, text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from cloud.foundation.db.address import PostgresqlAddress
from cloud.foundation.db.damage import DamageNotes
from cloud.foundation.db.errors import CommitUnknown, DatabaseUnavailable, TransactionTooSlow
from cloud.foundation.db.failures import DRIVER_ERRORS, commit_failure, connect_failure, translated
from cloud.foundation.db.prepared import DialectName, Prepared, Values
from cloud.foundation.db.transaction import Parameters, Rows

CONNECTIONS = 14
# A `peek` at a few rows is short, so a few connections serve hundreds at a time. Four are too few where the server and
# its database share two cores (measured: a third less), and more than eight bring no gain.
PEEKERS = 8
CONNECTIONS_OVERFLOW = 10
# Longest wait for a connection, a lock or the end of another transaction.
CONNECTION_WAIT_S_MAX = 10.0
TRANSACTION_S_MAX = 30.0
CONNECT_S_MAX = 10.0
# A server that does not respond to ROLLBACK at once hangs or has stopped: closing the connection rolls back as well.
UNDO_S_MAX = 1.0
# READ WRITE is the default. It is explicit so that a server that has become a standby refuses at BEGIN and not later.
CHANGING = "BEGIN READ WRITE"
# With repeatable read, all reads in the block see one snapshot, as with SQLite's readers.
READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def make_engine(address: PostgresqlAddress) -> AsyncEngine:
    """Create the connection pool of SQLAlchemy. The pool does not test connections, since BEGIN
    detects a broken one."""
    return create_async_engine(
        address.url,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        pool_size=CONNECTIONS,
        max_overflow=CONNECTIONS_OVERFLOW,
        pool_timeout=CONNECTION_WAIT_S_MAX,
        connect_args={"timeout": CONNECT_S_MAX, "server_settings": {"application_name": "argus-cloud"}},
    )


class PostgresqlDriver:
    """Runs compiled statements directly on the asyncpg connection, which caches prepared statements."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    async def rows(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        ready = statement.on("postgresql")
        with _our_errors():
            found: Sequence[Sequence[Any]] = await self._raw.fetch(ready.text, *ready.arguments(values))
        return found

    async def run(self, statement: Prepared, values: Values) -> int:
        ready = statement.on("postgresql")
        with _our_errors():
            status = await self._raw.execute(ready.text, *ready.arguments(values))
        return _rows_touched(status)

    async def run_later(self, statement: Prepared, values: Values) -> None:
        await self.run(statement, values)  # the driver cannot send two statements in one message

    async def rows_many(self, statement: Prepared, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
        ready = statement.on("postgresql")
        with _our_errors():
            found: Sequence[Sequence[Any]] = await self._raw.fetchmany(
                ready.text, [ready.arguments(one) for one in values]
            )
        return found

    async def run_many(self, statement: Prepared, rows: Sequence[tuple[Any, ...]]) -> None:
        ready = statement.on("postgresql")
        reorder = ready.reorder(statement.order)
        with _our_errors():
            await self._raw.executemany(ready.text, rows if reorder is None else [reorder(row) for row in rows])

    async def append(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        with _our_errors():
            await self._raw.copy_records_to_table(table.name, records=rows, columns=list(columns))


def _rows_touched(status: str) -> int:
    """Return the number of rows in a command status of PostgreSQL: 3 for "UPDATE 3" or "INSERT 0 3", -1 for a status
    without a number."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else -1


class _our_errors:  # noqa: N801  read as a word in `with _our_errors():`
    """Raise our own errors instead of the driver's exceptions in a block. Programming errors are not changed."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DRIVER_ERRORS):
            ours = translated(error)
            if ours is not None:
                raise ours from None


class PostgresqlTransaction:
    """A transaction on one PostgreSQL connection: `core` is SQLAlchemy's view of the connection, `raw` the driver's."""

    dialect: DialectName = "postgresql"

    def __init__(self, core: AsyncConnection, raw: Any) -> None:
        self._core = core
        self._raw = raw
        self._savepoints = 0
        self.driver = PostgresqlDriver(raw)

    async def execute(self, statement: Executable, parameters: Parameters = None) -> Rows:
        with _our_errors():
            result = await self._core.execute(statement, parameters)
        return Rows(result.all(), result.rowcount) if result.returns_rows else Rows((), result.rowcount)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        self._savepoints += 1
        name = f"part_{self._savepoints}"
        await self._raw.execute(f"SAVEPOINT {name}")
        try:
            yield
        except asyncio.CancelledError:
            raise  # the whole transaction is rolled back, and the connection may be in the middle of a response
        except BaseException:
            await self._raw.execute(f"ROLLBACK TO SAVEPOINT {name}")
            raise
        await self._raw.execute(f"RELEASE SAVEPOINT {name}")


_Connection = tuple[AsyncConnection, Any]
"""A connection of SQLAlchemy and the driver's connection under it."""


class PostgresqlDatabase:
    """A database on a PostgreSQL server. `open_database` makes this object."""

    dialect: DialectName = "postgresql"

    def __init__(self, address: PostgresqlAddress) -> None:
        self.engine = make_engine(address)
        self.damage = DamageNotes("postgresql")
        self.transaction_s_max = TRANSACTION_S_MAX
        self._idle: list[_Connection] = []  # kept outside the pool, since a checkout costs as much as a statement
        self._asking = 0  # callers that wait for the pool, and so need the next free connection
        self._peeking = asyncio.Semaphore(PEEKERS)

    @asynccontextmanager
    async def _begun(self, begin: str) -> AsyncIterator[PostgresqlTransaction]:
        committing = False
        try:
            async with asyncio.timeout(self.transaction_s_max) as limit:
                async with self._connection(begin) as (core, raw):
                    try:
                        yield PostgresqlTransaction(core, raw)
                    except BaseException:
                        await asyncio.shield(_undo(raw))
                        raise
                    committing = True
                    await _commit(raw)
        except TimeoutError:
            if not limit.expired():
                raise
            if committing and begin == CHANGING:
                raise CommitUnknown(f"(no response within {self.transaction_s_max:g} s)") from None
            raise TransactionTooSlow from None

    @asynccontextmanager
    async def _connection(self, begin: str) -> AsyncIterator[_Connection]:
        """Yield a connection on which the statement `begin` has begun a transaction."""
        core, raw = await self._taken()
        well = False
        try:
            try:
                await _begin(raw, begin)
            except DatabaseUnavailable:
                # The server was restarted while the connection was idle, so all other idle connections are broken too.
                await core.close()
                await self._forget_idle()
                core, raw = await self._checked_out()
                await _begin(raw, begin)
            yield core, raw
            well = True
        finally:
            # After use by SQLAlchemy, a connection has state that only the pool resets.
            if well and not core.in_transaction():
                await self._given_back(core, raw)
            else:
                await asyncio.shield(core.close())

    async def _taken(self) -> _Connection:
        return self._idle.pop() if self._idle else await self._checked_out()

    async def _given_back(self, core: AsyncConnection, raw: Any) -> None:
        if self._asking or len(self._idle) >= CONNECTIONS:
            await asyncio.shield(core.close())
        else:
            self._idle.append((core, raw))

    async def _checked_out(self) -> _Connection:
        self._asking += 1
        try:
            core = await self.engine.connect()
            return core, (await core.get_raw_connection()).driver_connection
        except (*DRIVER_ERRORS, PoolTimeout) as error:
            raise connect_failure(error) from None
        finally:
            self._asking -= 1

    async def _forget_idle(self) -> None:
        idle, self._idle = self._idle, []
        for core, raw in idle:
            await _dropped(core, raw)
        await self.engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresqlTransaction]:
        with self.damage:
            async with self._begun(CHANGING) as tx:
                yield tx

    @asynccontextmanager
    async def read(self) -> AsyncIterator[PostgresqlTransaction]:
        with self.damage:
            async with self._begun(READING) as tx:
                yield tx

    async def peek(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        with self.damage:
            async with self._peeking:
                return await self._peeked_again(statement, values)

    async def _peeked_again(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        """Run a query on an idle connection or, if there is none, on a new one. If the idle connection proves to be
        broken, run the query again on a new connection."""
        kept = bool(self._idle)
        try:
            return await self._peeked(statement, values)
        except DatabaseUnavailable:
            if not kept:
                raise
        await self._forget_idle()  # the server was restarted since the connection was last used
        return await self._peeked(statement, values)

    async def _peeked(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        ready = statement.on("postgresql")
        core, raw = await self._taken()
        try:
            with _our_errors():
                found: Sequence[Sequence[Any]] = await raw.fetch(
                    ready.text, *ready.arguments(values), timeout=self.transaction_s_max
                )
        except BaseException:
            # The state of the connection is unknown, so it must not be used again.
            await asyncio.shield(_dropped(core, raw))
            raise
        await self._given_back(core, raw)
        return found

    async def revision(self) -> str | None:
        async with self.read() as tx:
            if (await tx.execute(text("SELECT to_regclass('alembic_version')"))).scalar() is None:
                return None
            found = (await tx.execute(text("SELECT version_num FROM alembic_version"))).scalar()
        return None if found is None else str(found)

    async def has_tables(self) -> bool:
        """Return whether the database has any tables, ours or another program's."""
        found = text("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() LIMIT 1")
        async with self.read() as tx:
            return (await tx.execute(found)).first() is not None

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop()[0].close()
        await self.engine.dispose()


async def _begin(raw: Any, statement: str) -> None:
    """Begin a transaction. Raises `DatabaseUnavailable` for any error, since the constant statement cannot be the
    cause."""
    try:
        await raw.execute(statement)
    except DRIVER_ERRORS as error:
        raise DatabaseUnavailable(f"({type(error).__name__})") from None


async def _dropped(core: AsyncConnection, raw: Any) -> None:
    """Close a broken connection, and make the pool replace it."""
    raw.terminate()
    await core.invalidate()
    await core.close()


async def _undo(raw: Any) -> None:
    """Roll back. If the server does not confirm within `UNDO_S_MAX`, close the connection, which also rolls back."""
    try:
        async with asyncio.timeout(UNDO_S_MAX):
            await raw.execute("ROLLBACK")
    except DRIVER_ERRORS:  # a TimeoutError is an OSError
        raw.terminate()


async def _commit(raw: Any) -> None:
    """Commit. Raises `CommitLost` when the server refused, `CommitUnknown` when it did not respond."""
    try:
        status = await raw.execute("COMMIT")
    except DRIVER_ERRORS as error:
        raise commit_failure(error) from None
    if status == "ROLLBACK":  # PostgreSQL's response to COMMIT of a failed transaction
        raise commit_failure(RuntimeError())
