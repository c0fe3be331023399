"""One SQLite connection on a thread of its own, driven from the event loop.

SQLite blocks while the disk works, so every connection has one thread, and a job on it is one hop there and back: a
whole execution with its rows, instead of a hop for the cursor, the statement, the rows and the close as aiosqlite makes
it.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

Result = TypeVar("Result")
Job = Callable[[], Any]

APPLICATION_ID = 0x41524755
"""Written into the file's header: "ARGU". A SQLite file that has tables and another number is not ours."""

# Another process (the CLI beside a running service) holds the write lock for one commit at a time.
BUSY_TIMEOUT_S = 5.0

_PRAGMAS = (
    "PRAGMA foreign_keys=ON",  # off by default, for compatibility with 2009
    "PRAGMA synchronous=FULL",  # what a gateway or a client was told about survives a power cut
    "PRAGMA temp_store=MEMORY",  # sorts do not touch the disk we fsync
    "PRAGMA cache_size=-16000",  # 16 MB: the working set of a day
    "PRAGMA journal_size_limit=67108864",  # a WAL that once grew is given back to the disk
)
_WRITER_PRAGMAS = (
    "PRAGMA wal_autocheckpoint=4000",
)  # 16 MB of log between checkpoints: fewer stalls of the one writer
_READER_PRAGMAS = ("PRAGMA query_only=ON",)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a file with our settings, in manual transaction mode. An absent file is an error."""
    address = f"file:{quote(str(path.absolute()))}?mode=rw"
    connection = sqlite3.connect(
        address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        for pragma in (*_PRAGMAS, *(_READER_PRAGMAS if read_only else _WRITER_PRAGMAS)):
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


class SqliteThread:
    """A connection, its thread, and SQLAlchemy's view of the same connection.

    A plain queue and `call_soon_threadsafe` instead of an executor: a quarter of its cost for each hop.
    """

    def __init__(self, path: Path, *, read_only: bool, name: str) -> None:
        self._jobs: SimpleQueue[tuple[Job, asyncio.Future[Any] | None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._open = partial(connect, path, read_only=read_only)
        self.raw: sqlite3.Connection
        self.core: Connection

    async def open(self) -> None:
        """Connect. Raises sqlite3.Error when the file is absent or damaged."""
        self._thread.start()
        await self.run(self._connect)

    def _connect(self) -> None:
        self.raw = self._open()
        engine = create_engine(
            "sqlite+pysqlite://",
            creator=lambda: self.raw,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",  # BEGIN and COMMIT are ours
            hide_parameters=True,
        )
        self.core = engine.connect()

    def submit(self, job: Callable[[], Any], answer: "asyncio.Future[Any] | None" = None) -> None:
        """Queue a job; jobs of one connection run in the order in which they were queued.

        Its outcome goes to `answer`. Without one nobody hears of an exception, so such a job deals with its own.
        """
        self._jobs.put((job, answer))

    async def run(self, job: Callable[[], Result]) -> Result:
        """Queue a job and wait. A cancelled caller does not stop a job: what follows it in the queue comes after it."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, answer))
        return await answer

    def _work(self) -> None:
        while (given := self._jobs.get()) is not None:
            job, answer = given
            result, failure = None, None
            try:
                result = job()
            except BaseException as error:
                failure = error
            if answer is None:
                continue
            # A loop that has closed meanwhile has nobody left who waits.
            with suppress(RuntimeError):
                answer.get_loop().call_soon_threadsafe(_answer, answer, result, failure)

    async def close(self) -> None:
        """Close the connection after the jobs already queued."""
        if self._thread.is_alive():
            await self.run(self._disconnect)
            self._jobs.put(None)

    def _disconnect(self) -> None:
        if hasattr(self, "core"):
            self.core.close()
            self.raw.close()


def _answer(answer: "asyncio.Future[Any]", result: object, failure: BaseException | None) -> None:
    """Tell the caller, on its loop, unless it has left."""
    if answer.done():
        return
    if failure is None:
        answer.set_result(result)
    else:
        answer.set_exception(failure)
