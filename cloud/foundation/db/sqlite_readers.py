"""Connections of a SQLite file for reads, each with its own thread, and the view of a database for long reads.

A long read goes through much of the file once, a page of rows after the other. Such reads have connections of their
own, with a small cache, so that a read of a million rows takes no more memory than one of some thousands, and does not
displace what requests have in the caches of theirs.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

from cloud.foundation.db.damage import DamageNotes
from cloud.foundation.db.database import Database
from cloud.foundation.db.errors import DatabaseUnavailable
from cloud.foundation.db.prepared import DialectName, Prepared, Values
from cloud.foundation.db.sqlite_connection import CACHE_KB, SqliteThread
from cloud.foundation.db.sqlite_failures import translated
from cloud.foundation.db.transaction import Transaction

READERS = 3
LONG_READERS = 2
"""Enough that two exports do not queue for the pages of each other, of some milliseconds each."""
LONG_CACHE_KB = 1_000
"""The upper levels of the indexes that a long read uses, and its last pages of rows."""
READER_WAIT_S_MAX = 10.0
"""A read that gets no free connection within this time fails with an error."""


class SqliteReaders:
    """Connections for reads, each of which serves one read at a time and has a cache of `cache_kb` kB."""

    def __init__(self, path: Path, *, count: int = READERS, cache_kb: int = CACHE_KB, name: str = "reader") -> None:
        self._threads = [
            SqliteThread(path, read_only=True, name=f"sqlite-{name}-{number}", cache_kb=cache_kb)
            for number in range(count)
        ]
        self._idle: asyncio.LifoQueue[SqliteThread] = asyncio.LifoQueue()
        for thread in self._threads:
            self._idle.put_nowait(thread)

    async def open(self) -> None:
        """Open the connection of the next read, so that a file that cannot be read is noticed. Every other one is
        opened by its first read, since each reads the whole schema: 2 ms of processor time. Raises sqlite3.Error."""
        await self._threads[-1].open()

    async def take(self) -> SqliteThread:
        """Lend a connection for one read. Raises `DatabaseUnavailable` when all are in use for long."""
        try:
            async with asyncio.timeout(READER_WAIT_S_MAX):
                thread = await self._idle.get()
        except TimeoutError:
            raise DatabaseUnavailable("(all readers are busy)") from None
        if not thread.is_open:
            try:
                await thread.open()
            except BaseException as error:
                self._idle.put_nowait(thread)
                raise translated(error) or error from None
        return thread

    def give_back(self, thread: SqliteThread) -> None:
        """End the read of a connection, for the next one."""
        thread.submit(partial(_end_read, thread))
        self._idle.put_nowait(thread)

    async def end_reads(self) -> None:
        """Wait until the threads of reads that have ended have also released their snapshots."""
        idle = [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        try:
            for thread in idle:
                if thread.is_open:
                    await thread.run(partial(_end_read, thread))
        finally:
            for thread in idle:
                self._idle.put_nowait(thread)

    async def close(self) -> None:
        """Close the connections and end their threads."""
        for thread in self._threads:
            await thread.close()


def _end_read(thread: SqliteThread) -> None:
    if thread.raw.in_transaction:
        thread.raw.execute("ROLLBACK")


class LongReads:
    """A database whose read transactions are those that `read` begins. Everything else is that of the database."""

    def __init__(self, database: Database, read: Callable[[], AbstractAsyncContextManager[Transaction]]) -> None:
        self._database = database
        self.read = read

    @property
    def dialect(self) -> DialectName:
        return self._database.dialect

    @property
    def damage(self) -> DamageNotes:
        return self._database.damage

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        return self._database.transaction()

    def for_long_reads(self) -> Database:
        return self

    async def peek(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        return await self._database.peek(statement, values)

    async def run_alone(self, statement: str) -> None:
        await self._database.run_alone(statement)

    async def listen(
        self, channel: str, on_notification: Callable[[str], None], on_end: Callable[[], None] | None = None
    ) -> None:
        await self._database.listen(channel, on_notification, on_end)

    async def count_listeners(self, channel: str) -> int:
        return await self._database.count_listeners(channel)

    async def empty_log(self) -> bool:
        return await self._database.empty_log()

    async def close(self) -> None:
        await self._database.close()
