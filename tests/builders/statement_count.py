"""A database that counts its statements, on SQLite and PostgreSQL alike.

A statement that is repeated for many rows (`run_many`, `rows_many`) counts once for each row, since the database
executes it once for each. A statement that handles all rows at once counts once.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Executable, Table

from cloud.foundation.db import Database, Prepared, Rows
from cloud.foundation.db.prepared import DialectName, Values
from cloud.foundation.db.transaction import Driver, OnRows, Parameters, Transaction


class Counter(Protocol):
    """The number of statements so far."""

    statements: int


@dataclass
class Reads:
    """The number of statements in read transactions."""

    statements: int = 0


class CountingDatabase:
    """A wrapper of a database. `statements` counts the statements in its write transactions, and `reads` those in its
    read transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.statements = 0
        self.reads = Reads()

    @property
    def dialect(self) -> DialectName:
        return self._database.dialect

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._database.transaction() as tx:
            yield CountingTransaction(tx, self)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        async with self._database.read() as tx:
            yield CountingTransaction(tx, self.reads)

    async def peek(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        self.reads.statements += 1
        return await self._database.peek(statement, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class CountingTransaction:
    """A wrapper of a transaction that counts all statements, including those that are executed with the driver."""

    def __init__(self, tx: Transaction, counter: Counter) -> None:
        self._tx = tx
        self._counter = counter
        self.driver = CountingDriver(tx.driver, counter)

    @property
    def dialect(self) -> DialectName:
        return self._tx.dialect

    async def execute(self, statement: Executable, parameters: Parameters = None) -> Rows:
        self._counter.statements += 1
        return await self._tx.execute(statement, parameters)

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        self._counter.statements += 2
        return self._tx.savepoint()


class CountingDriver:
    """A wrapper of the driver (prepared statements without SQLAlchemy's result objects) that counts its statements."""

    def __init__(self, driver: Driver, counter: Counter) -> None:
        self._driver = driver
        self._counter = counter

    async def rows(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        self._counter.statements += 1
        return await self._driver.rows(statement, values)

    async def rows_each(self, queries: Sequence[tuple[Prepared, Values]]) -> Sequence[Sequence[Sequence[Any]]]:
        self._counter.statements += len(queries)
        return await self._driver.rows_each(queries)

    async def run(self, statement: Prepared, values: Values) -> int:
        self._counter.statements += 1
        return await self._driver.run(statement, values)

    async def run_later(self, statement: Prepared, values: Values, on_rows: OnRows | None = None) -> None:
        self._counter.statements += 1
        await self._driver.run_later(statement, values, on_rows)

    async def change_later(self, statement: Prepared, values: Values, rows: int) -> None:
        self._counter.statements += 1
        await self._driver.change_later(statement, values, rows)

    async def rows_many(self, statement: Prepared, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
        self._counter.statements += len(values)
        return await self._driver.rows_many(statement, values)

    async def run_many(self, statement: Prepared, rows: Sequence[tuple[Any, ...]]) -> None:
        self._counter.statements += len(rows)
        await self._driver.run_many(statement, rows)

    async def append(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        self._counter.statements += 1
        await self._driver.append(table, columns, rows)

    async def append_later(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        self._counter.statements += 1
        await self._driver.append_later(table, columns, rows)


class EndingDatabase(CountingDatabase):
    """A database that calls `end` in place of statement number `at`, counted from 1; `end` raises, or ends the
    process."""

    def __init__(self, database: Database, at: int, end: Callable[[], object]) -> None:
        self._at = at
        self._end = end
        super().__init__(database)

    @property
    def statements(self) -> int:
        return self._count

    @statements.setter
    def statements(self, count: int) -> None:
        self._count = count
        if count and count == self._at:
            self._end()
