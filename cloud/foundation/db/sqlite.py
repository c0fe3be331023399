"""SQLite: one writer and a few readers, each with its own connection, and every commit durable (`synchronous=FULL`)."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Table, insert, text

from cloud.foundation.db.damage import DamageNotes
from cloud.foundation.db.database import Database
from cloud.foundation.db.prepared import DialectName, Prepared, Values, compiled
from cloud.foundation.db.sqlite_connection import BUSY_TIMEOUT_S, SqliteThread, connect
from cloud.foundation.db.sqlite_failures import DRIVER_ERRORS, translated
from cloud.foundation.db.sqlite_readers import LONG_CACHE_KB, LONG_READERS, LongReads, SqliteReaders
from cloud.foundation.db.sqlite_writer import SqliteWriter
from cloud.foundation.db.transaction import Parameters, Rows
from cloud.foundation.trace import SpanTimer

Result = TypeVar("Result")
Job = Callable[[], Result]

# Parameters of one statement: SQLite allows 32 766, and a text of more than some hundred kilobytes brings no gain.
PARAMETERS_MAX = 16_384
# A query on the event loop may take PEEK_STEPS_MAX steps of PEEK_STEP instructions of SQLite, a few milliseconds.
# A query that needs more runs on a reader's thread.
PEEK_STEP = 1_000
PEEK_STEPS_MAX = 100
# Attributes of a span: the text of a statement is none, since it may have values.
_SPAN = {"db.system.name": "sqlite"}


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

    async def run(self, statement: Prepared, values: Values) -> int:
        ready = statement.on("sqlite")
        return await self._transaction.on_connection(
            lambda raw: raw.execute(ready.text, ready.arguments(values)).rowcount
        )

    async def run_later(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        ready, found = statement.on("sqlite"), list[Sequence[Any]]()
        self._transaction.later(lambda raw: found.extend(raw.execute(ready.text, ready.arguments(values)).fetchall()))
        return found

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


def _append(raw: sqlite3.Connection, table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows in few statements, each of a power-of-two number of rows, so that few texts are compiled. This
    inserts 330 000 rows a second. `executemany`, which releases the interpreter lock at each row, inserts 18 000."""
    at, helping = 0, 1 << (PARAMETERS_MAX // len(columns)).bit_length() - 1
    while at < len(rows):
        while helping > len(rows) - at:
            helping >>= 1
        raw.execute(_insert_text(table, columns, helping), list(chain.from_iterable(rows[at : at + helping])))
        at += helping


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
    thread within the transaction. The function `later` (None for a reader) queues a job, whose result is dropped."""

    dialect: DialectName = "sqlite"

    def __init__(
        self, thread: SqliteThread, step: Callable[[Job[Any]], Any], later: Callable[[Job[Any]], None] | None = None
    ) -> None:
        self._thread = thread
        self._step = step
        self._later = later
        self._savepoints = 0
        self.driver = SqliteDriver(self)

    async def on_connection(self, job: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a job on the thread of the sqlite3 connection, as part of this transaction, and return its result."""
        return await self._run(lambda: job(self._thread.raw))

    def later(self, job: Callable[[sqlite3.Connection], Any]) -> None:
        """Queue a job after the transaction's earlier jobs. If the job fails, the transaction fails at its end."""
        assert self._later is not None, "a read changes nothing"
        self._later(lambda: job(self._thread.raw))

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


class SqliteDatabase:
    """A database in one SQLite file. `open_database` checks the file and makes this object."""

    dialect: DialectName = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage = DamageNotes(str(path))
        self._writer_thread = SqliteThread(path, read_only=False, name="sqlite-writer")
        self.writer = SqliteWriter(self._writer_thread)
        self._readers = SqliteReaders(path)
        self._long_readers = SqliteReaders(path, count=LONG_READERS, cache_kb=LONG_CACHE_KB, name="long-reader")
        self._near: sqlite3.Connection | None = None  # for `peek`: used on the event loop's own thread
        self._steps = 0

    async def open(self) -> None:
        """Open the connections of the writer and the first reader. Raises sqlite3.Error."""
        await self._writer_thread.open()
        await self._readers.open()
        self._near = connect(self.path, read_only=True)
        self._near.execute("PRAGMA busy_timeout=0")  # a wait would block the event loop; `peek` uses a reader instead
        self._near.set_progress_handler(self._one_step, PEEK_STEP)

    def _one_step(self) -> int:
        self._steps += 1
        return self._steps > PEEK_STEPS_MAX

    async def peek(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        with SpanTimer("db.peek", "client", _SPAN), self.damage:
            return await self._peeked(statement, values)

    async def _peeked(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        ready = statement.on("sqlite")
        if self._near is not None:
            self._steps = 0
            try:
                return self._near.execute(ready.text, ready.arguments(values)).fetchall()
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorname", "") not in ("SQLITE_INTERRUPT", "SQLITE_BUSY"):
                    ours = translated(error)
                    if ours is None:
                        raise
                    raise ours from None
        async with self.read() as tx:
            return await tx.driver.rows(statement, values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqliteTransaction]:
        with SpanTimer("db.transaction", "client", _SPAN), self.damage:
            async with self.writer.member() as member:
                yield SqliteTransaction(
                    self._writer_thread, partial(self.writer.step, member), partial(self.writer.later, member)
                )

    @asynccontextmanager
    async def _read(self, readers: SqliteReaders) -> AsyncIterator[SqliteTransaction]:
        with SpanTimer("db.read", "client", _SPAN):
            thread = await readers.take()
            try:
                with self.damage:
                    yield SqliteTransaction(thread, partial(_read_step, thread))
            finally:
                readers.give_back(thread)

    def read(self) -> AbstractAsyncContextManager[SqliteTransaction]:
        return self._read(self._readers)

    def for_long_reads(self) -> Database:
        return LongReads(self, partial(self._read, self._long_readers))

    async def run_alone(self, statement: str) -> None:
        with self.damage:
            async with self.writer.member(limited=False) as member:
                step = partial(self.writer.step, member)
                await SqliteTransaction(self._writer_thread, step).execute(text(statement))

    async def listen(self, channel: str, on_notification: Callable[[str], None]) -> None:
        return

    async def count_listeners(self, channel: str) -> int:
        return 0

    async def empty_log(self) -> bool:
        await self.writer.drain()
        for readers in (self._readers, self._long_readers):
            await readers.end_reads()
        with self.damage:
            return await self._writer_thread.run(self._empty_log)

    def _empty_log(self) -> bool:
        raw = self._writer_thread.raw
        if raw.in_transaction:
            return False
        raw.execute("PRAGMA busy_timeout=0")  # the writer's thread waits for no reader
        try:
            return bool(raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
        finally:
            raw.execute(f"PRAGMA busy_timeout={round(BUSY_TIMEOUT_S * 1000)}")

    async def close(self) -> None:
        near, self._near = self._near, None
        if near is not None:
            near.close()
        await self.writer.drain()
        for connections in (self._readers, self._long_readers, self._writer_thread):
            await connections.close()


def _read_step(thread: SqliteThread, job: Job[Result]) -> Result:
    """Run a job of a read transaction. The first job begins the snapshot that all jobs of the transaction see."""
    if not thread.raw.in_transaction:
        thread.raw.execute("BEGIN")
    return job()
