"""A transaction on a PostgreSQL connection. Core statements and compiled ones run on the same asyncpg connection."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Executable, Table

from cloud.foundation.db.core_statements import CoreStatements, changed_rows
from cloud.foundation.db.errors import RowsMissing
from cloud.foundation.db.postgresql_failures import DRIVER_ERRORS, translated
from cloud.foundation.db.prepared import DialectName, Prepared, Values
from cloud.foundation.db.transaction import OnRows, Parameters, Rows

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy


class PostgresqlDriver:
    """Runs compiled statements on the asyncpg connection, which caches prepared statements."""

    def __init__(self, raw: "PoolConnectionProxy[Any]") -> None:
        self._raw = raw

    async def rows(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        ready = statement.on("postgresql")
        with our_errors():
            found: Sequence[Sequence[Any]] = await self._raw.fetch(ready.text, *ready.arguments(values))
        return found

    async def rows_each(self, queries: Sequence[tuple[Prepared, Values]]) -> Sequence[Sequence[Sequence[Any]]]:
        return [await self.rows(statement, values) for statement, values in queries]

    async def run(self, statement: Prepared, values: Values) -> int:
        ready = statement.on("postgresql")
        with our_errors():
            status = await self._raw.execute(ready.text, *ready.arguments(values))
        return changed_rows(status)

    async def run_later(self, statement: Prepared, values: Values, on_rows: OnRows | None = None) -> None:
        found = await self.rows(statement, values)  # the driver cannot send two statements in one message
        if on_rows is not None:
            on_rows(found)

    async def change_later(self, statement: Prepared, values: Values, rows: int) -> None:
        if await self.run(statement, values) != rows:
            raise RowsMissing

    async def rows_many(self, statement: Prepared, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
        ready = statement.on("postgresql")
        with our_errors():
            found: Sequence[Sequence[Any]] = await self._raw.fetchmany(
                ready.text, [ready.arguments(one) for one in values]
            )
        return found

    async def run_many(self, statement: Prepared, rows: Sequence[tuple[Any, ...]]) -> None:
        ready = statement.on("postgresql")
        reorder = ready.reorder(statement.order)
        with our_errors():
            await self._raw.executemany(ready.text, rows if reorder is None else [reorder(row) for row in rows])

    async def append(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        with our_errors():
            await self._raw.copy_records_to_table(table.name, records=rows, columns=list(columns))

    async def append_later(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        await self.append(table, columns, rows)


class our_errors:  # noqa: N801  read as a word in `with our_errors():`
    """Raise our own errors instead of the driver's exceptions in a block. Programming errors are not changed."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DRIVER_ERRORS):
            ours = translated(error)
            if ours is not None:
                raise ours from None


class PostgresqlTransaction:
    """A transaction that has begun on the connection `raw`. `core` runs the Core statements."""

    dialect: DialectName = "postgresql"

    def __init__(self, raw: "PoolConnectionProxy[Any]", core: CoreStatements) -> None:
        self._raw = raw
        self._core = core
        self._savepoints = 0
        self.driver = PostgresqlDriver(raw)

    async def execute(self, statement: Executable, parameters: Parameters = None) -> Rows:
        with our_errors():
            return await self._core.run(self._raw, statement, parameters)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        self._savepoints += 1
        name = f"part_{self._savepoints}"
        await self._control(f"SAVEPOINT {name}")
        try:
            yield
        except asyncio.CancelledError:
            raise  # the whole transaction is rolled back, and the connection may be in the middle of a response
        except BaseException:
            await self._control(f"ROLLBACK TO SAVEPOINT {name}")
            raise
        await self._control(f"RELEASE SAVEPOINT {name}")

    async def _control(self, statement: str) -> None:
        with our_errors():
            await self._raw.execute(statement)
