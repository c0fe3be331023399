"""SQLite: one writer and a few readers, each with its own connection, and every commit durable (`synchronous=FULL`)."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text

from cloud.foundation.db.damage import DamageNotes
from cloud.foundation.db.database import Database
from cloud.foundation.db.observed import ObservedBlock
from cloud.foundation.db.prepared import DialectName, Prepared, Values
from cloud.foundation.db.sqlite_connection import BUSY_TIMEOUT_S, SqliteThread, connect
from cloud.foundation.db.sqlite_failures import translated
from cloud.foundation.db.sqlite_readers import LONG_CACHE_KB, LONG_READERS, LongReads, SqliteReaders
from cloud.foundation.db.sqlite_transaction import SqliteTransaction
from cloud.foundation.db.sqlite_writer import SqliteWriter
from cloud.foundation.trace import SpanTimer

Result = TypeVar("Result")

# A query on the event loop may take PEEK_STEPS_MAX steps of PEEK_STEP instructions of SQLite, a few milliseconds.
# A query that needs more runs on a reader's thread.
PEEK_STEP = 1_000
PEEK_STEPS_MAX = 100
# Attributes of a span: the text of a statement is none, since it may have values.
_SPAN = {"db.system.name": "sqlite"}


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

    def transaction(self) -> AbstractAsyncContextManager[SqliteTransaction]:
        return ObservedBlock("db.transaction", _SPAN, self.damage, self.writer.transaction())

    def _read_from(self, readers: SqliteReaders) -> AbstractAsyncContextManager[SqliteTransaction]:
        return ObservedBlock("db.read", _SPAN, self.damage, _read(readers))

    def read(self) -> AbstractAsyncContextManager[SqliteTransaction]:
        return self._read_from(self._readers)

    def for_long_reads(self) -> Database:
        return LongReads(self, partial(self._read_from, self._long_readers))

    async def run_alone(self, statement: str) -> None:
        with self.damage:
            async with self.writer.transaction(limited=False) as tx:
                await tx.execute(text(statement))

    async def listen(
        self, channel: str, on_notification: Callable[[str], None], on_end: Callable[[], None] | None = None
    ) -> None:
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


@asynccontextmanager
async def _read(readers: SqliteReaders) -> AsyncIterator[SqliteTransaction]:
    thread = await readers.take()
    try:
        yield SqliteTransaction(thread, partial(_read_step, thread))
    finally:
        readers.give_back(thread)


def _read_step(thread: SqliteThread, job: Callable[[], Result]) -> Result:
    """Run a job of a read transaction. The first job begins the snapshot that all jobs of the transaction see."""
    if not thread.raw.in_transaction:
        thread.raw.execute("BEGIN")
    return job()
