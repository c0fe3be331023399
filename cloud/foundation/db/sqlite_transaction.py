"""A transaction on SQLite as stores use it: statements run on the thread of its connection."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from itertools import chain
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Table, insert

from cloud.foundation.db.errors import RowsMissing
from cloud.foundation.db.prepared import DialectName, Prepared, Values, compiled
from cloud.foundation.db.sqlite_connection import SqliteThread
from cloud.foundation.db.sqlite_failures import DRIVER_ERRORS, translated
from cloud.foundation.db.transaction import OnRows, Parameters, Rows

Result = TypeVar("Result")
Job = Callable[[], Result]

# Parameters of one statement: SQLite allows 32 766, and a text of more than some hundred kilobytes brings no gain.
PARAMETERS_MAX = 16_384
# Rows up to which an INSERT has any multiple of four: a statement has a fixed cost of some rows.
MULTIPLES_MAX = 32


def execute_core(connection: Connection, statement: Executable, parameters: Parameters) -> Rows:
    """Run a statement through SQLAlchemy and return all its rows."""
    result = connection.execute(statement, parameters)
    return Rows(result.all(), result.rowcount) if result.returns_rows else Rows((), result.rowcount)


class SqliteDriver:
    """Runs compiled statements directly on the sqlite3 connection. Each call switches threads only twice."""

    def __init__(self, transaction: "SqliteTransaction") -> None:
        self._transaction = transaction

    async def rows(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        ready = statement.on("sqlite")
        return await self._transaction.on_connection(
            lambda raw: raw.execute(ready.text, ready.arguments(values)).fetchall()
        )

    async def rows_each(self, queries: Sequence[tuple[Prepared, Values]]) -> Sequence[Sequence[Sequence[Any]]]:
        ready = [(statement.on("sqlite"), values) for statement, values in queries]
        return await self._transaction.on_connection(
            lambda raw: [raw.execute(one.text, one.arguments(values)).fetchall() for one, values in ready]
        )

    async def run(self, statement: Prepared, values: Values) -> int:
        ready = statement.on("sqlite")
        return await self._transaction.on_connection(
            lambda raw: raw.execute(ready.text, ready.arguments(values)).rowcount
        )

    async def run_later(self, statement: Prepared, values: Values, on_rows: OnRows | None = None) -> None:
        ready = statement.on("sqlite")
        self._transaction.later(lambda raw: raw.execute(ready.text, ready.arguments(values)).fetchall(), on_rows)

    async def change_later(self, statement: Prepared, values: Values, rows: int) -> None:
        ready = statement.on("sqlite")
        self._transaction.later(lambda raw: _change(raw, ready.text, ready.arguments(values), rows))

    async def rows_many(self, statement: Prepared, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
        ready = statement.on("sqlite")
        return await self._transaction.on_connection(
            lambda raw: [row for one in values for row in raw.execute(ready.text, ready.arguments(one)).fetchall()]
        )

    async def run_many(self, statement: Prepared, rows: Sequence[tuple[Any, ...]]) -> None:
        ready = statement.on("sqlite")
        reorder = ready.reorder(statement.order)
        await self._transaction.on_connection(
            lambda raw: raw.executemany(ready.text, rows if reorder is None else map(reorder, rows))
        )

    async def append(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        names = tuple(columns)
        await self._transaction.on_connection(lambda raw: _append(raw, table, names, rows))

    async def append_later(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        names = tuple(columns)
        self._transaction.later(lambda raw: _append(raw, table, names, rows))


def _change(raw: sqlite3.Connection, text: str, arguments: tuple[Any, ...], rows: int) -> None:
    if raw.execute(text, arguments).rowcount != rows:
        raise RowsMissing


def _append(raw: sqlite3.Connection, table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows in few statements, each of a power-of-two number of rows or a small multiple of four, so that few
    texts are compiled. This inserts 330 000 rows a second. `executemany`, which releases the interpreter lock at each
    row, inserts 18 000."""
    at, most = 0, 1 << (PARAMETERS_MAX // len(columns)).bit_length() - 1
    while at < len(rows):
        count = _rows_at_once(min(most, len(rows) - at))
        raw.execute(_insert_text(table, columns, count), list(chain.from_iterable(rows[at : at + count])))
        at += count


def _rows_at_once(rows: int) -> int:
    """Return the number of rows of the next statement if `rows` are left."""
    return rows & ~3 if 4 <= rows <= MULTIPLES_MAX else 1 << rows.bit_length() - 1


@lru_cache(maxsize=256)
def _insert_text(table: Table, columns: tuple[str, ...], rows: int) -> str:
    """Return the text of an INSERT of this number of rows. The text is cached, since each caller inserts few different
    numbers of rows."""
    ready = compiled(insert(table).values(dict.fromkeys(columns)), "sqlite")
    assert ready.names == columns, "columns are given in the order of the table"
    head, placeholders = ready.text.split(" VALUES ")
    return f"{head} VALUES {', '.join([placeholders] * rows)}"


class SqliteTransaction:
    """A transaction of the writer, or the snapshot of a reader. The function `step` runs a job on the connection's
    thread within the transaction. The function `later` (None for a reader) queues a job, and a function that gets its
    result."""

    dialect: DialectName = "sqlite"

    def __init__(
        self,
        thread: SqliteThread,
        step: Callable[[Job[Any]], Any],
        later: Callable[[Job[Any], Callable[[Any], None] | None], None] | None = None,
    ) -> None:
        self._thread = thread
        self._step = step
        self._later = later
        self._savepoints = 0

    @property
    def driver(self) -> SqliteDriver:
        """The fast path of this transaction. Made at each use: an attribute that refers back to the transaction would
        keep both until the garbage collector finds them."""
        return SqliteDriver(self)

    async def on_connection(self, job: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a job on the thread of the sqlite3 connection, as part of this transaction, and return its result."""
        return await self._run(lambda: job(self._thread.raw))

    def later(
        self, job: Callable[[sqlite3.Connection], Result], on_result: Callable[[Result], None] | None = None
    ) -> None:
        """Queue a job after the transaction's earlier jobs. `on_result` is called with its result before the end of the
        transaction. If the job fails, the transaction fails at its end."""
        assert self._later is not None, "a read changes nothing"
        self._later(lambda: job(self._thread.raw), on_result)

    async def execute(self, statement: Executable, parameters: Parameters = None) -> Rows:
        return await self._run(lambda: execute_core(self._thread.core, statement, parameters))

    async def _run(self, job: Job[Result]) -> Result:
        try:
            result: Result = await self._thread.run(partial(self._step, job))
        except DRIVER_ERRORS as error:
            ours = translated(error)
            if ours is None:
                raise
            raise ours from None
        return result

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        self._savepoints += 1
        name = f"part_{self._savepoints}"
        await self.on_connection(lambda raw: raw.execute(f"SAVEPOINT {name}"))
        try:
            yield
        except BaseException:
            # Queued and not awaited, so that the savepoint of a cancelled caller is also rolled back before the next
            # statement.
            self._thread.submit(partial(self._step, partial(self._undo, name)))
            raise
        await self.on_connection(lambda raw: raw.execute(f"RELEASE {name}"))

    def _undo(self, name: str) -> None:
        self._thread.raw.execute(f"ROLLBACK TO {name}")
        self._thread.raw.execute(f"RELEASE {name}")
