"""A SQLite connection with its own thread, since SQLite blocks while the disk works.

A job executes a statement and fetches all rows. It costs one switch to the thread and back, where aiosqlite needs four.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
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
End = Callable[[Any, BaseException | None], None]
"""Is called on the event loop with the result of a job, or its exception."""

APPLICATION_ID = 0x41524755
"""The application id in the file's header: "ARGU". A SQLite file with tables and another id is foreign."""
MOVED_ID = 0x4152474D
"""The application id of a file that was copied to PostgreSQL and must not be used any more: "ARGM"."""

# Another process (the CLI beside a running service) holds the write lock for one commit at a time.
BUSY_TIMEOUT_S = 5.0

_PRAGMAS = (
    "PRAGMA foreign_keys=ON",  # SQLite's default is OFF, for compatibility with its versions before 2009
    "PRAGMA synchronous=FULL",  # acknowledged changes survive a power cut
    "PRAGMA temp_store=MEMORY",  # sorting writes nothing to the disk, so fsync is not delayed
    "PRAGMA journal_size_limit=67108864",  # space of a large WAL is returned to the disk
)
_WRITER_PRAGMAS = (
    "PRAGMA secure_delete=ON",  # what is erased is not left in free pages; the default of Debian's SQLite already
)
_READER_PRAGMAS = ("PRAGMA query_only=ON",)

CACHE_KB = 16_000
"""Cache of a connection: the working set of a day."""

PAGE_BYTES = 2048
"""Size of a page in new files. Files of earlier releases keep theirs, 4096 bytes.

A commit writes whole pages, and most of them change by a row or two: the end of each lane and device in each index.
Measured for ten vehicles: the log takes 6.7 bytes for each byte received with this size, 10.0 with 4096, and 4.6 with
1024. The POST of an observation takes the same processor time with 1024, but the ingest of a backlog takes a quarter
more (60 runs, alternately): it fills whole pages, and SQLite writes each page of the log by two calls."""

LOG_BYTES = 16 << 20
"""Size of the log at which SQLite writes it back to the file, whatever the size of a page: fewer stalls of the one
writer than with SQLite's thousand pages, and a page that changes all the time is written back once for many commits."""


def connect(path: Path, *, read_only: bool = False, cache_kb: int = CACHE_KB) -> sqlite3.Connection:
    """Open an existing file with our settings and manual transactions. Raises sqlite3.OperationalError if the file is
    absent."""
    address = f"file:{quote(str(path.absolute()))}?mode=rw"
    connection = sqlite3.connect(
        address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        for pragma in (*_PRAGMAS, *(_READER_PRAGMAS if read_only else _WRITER_PRAGMAS)):
            connection.execute(pragma)
        connection.execute(f"PRAGMA cache_size=-{cache_kb}")
        if not read_only:
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA wal_autocheckpoint={LOG_BYTES // page_bytes}")
    except BaseException:
        connection.close()
        raise
    return connection


_THREAD = threading.local()
"""The sqlite3 connection of the current thread (`raw`)."""

_ENGINE = create_engine(
    "sqlite+pysqlite://",
    creator=lambda: _THREAD.raw,
    poolclass=NullPool,
    isolation_level="AUTOCOMMIT",  # this package issues BEGIN and COMMIT itself
    hide_parameters=True,
)
"""SQLAlchemy's view of the connections of all threads, which share its cache of compiled statements: a statement is
compiled once, and not once for each connection."""


class SqliteThread:
    """A SQLite connection (`raw`), SQLAlchemy's view of it (`core`), and the thread that alone uses them. A plain queue
    instead of an executor makes a switch of threads four times cheaper."""

    def __init__(self, path: Path, *, read_only: bool, name: str, cache_kb: int = CACHE_KB) -> None:
        self._jobs: SimpleQueue[tuple[Sequence[Job], Job, asyncio.AbstractEventLoop | None, End | None] | None] = (
            SimpleQueue()
        )
        self._deferred: list[Job] = []
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._open = partial(connect, path, read_only=read_only, cache_kb=cache_kb)
        self.raw: sqlite3.Connection
        self.core: Connection

    @property
    def is_open(self) -> bool:
        return hasattr(self, "core")

    async def open(self) -> None:
        """Start the thread and open the connection. Raises sqlite3.Error when the file is absent or damaged."""
        if not self._thread.is_alive():
            self._thread.start()
        await self.run(self._connect)

    def _connect(self) -> None:
        self.raw = _THREAD.raw = self._open()
        self.core = _ENGINE.connect()

    def submit(self, job: Job, end: "End | None" = None) -> None:
        """Queue a job; jobs run in the order of the queue. `end` is called with the job's result or exception. If `end`
        is None, an exception is dropped, so the job must handle its own errors."""
        self._jobs.put((self._take_deferred(), job, end and asyncio.get_running_loop(), end))

    def defer(self, job: Job) -> None:
        """Queue a job that runs before the next submitted one, which must follow soon. So the thread, which could not
        run earlier than the event loop pauses, is woken once for several jobs. An exception of the job is dropped."""
        self._deferred.append(job)

    def _take_deferred(self) -> Sequence[Job]:
        if not self._deferred:
            return ()
        deferred, self._deferred = self._deferred, []
        return deferred

    async def run(self, job: Callable[[], Result]) -> Result:
        """Queue a job, wait for it, and return its result. If the caller is cancelled, the job still runs."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Result] = loop.create_future()
        self._jobs.put((self._take_deferred(), job, loop, partial(settle, outcome)))
        return await outcome

    def _work(self) -> None:
        while (given := self._jobs.get()) is not None:
            earlier, job, loop, end = given
            for each in earlier:
                with suppress(BaseException):
                    each()
            result, failure = None, None
            try:
                result = job()
            except BaseException as error:
                failure = error
            if loop is None or end is None:
                continue
            # If the loop has been closed, no caller waits for the result.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(end, result, failure)

    async def close(self) -> None:
        """Close the connection and end the thread after the queued jobs."""
        if self._thread.is_alive():
            await self.run(self._disconnect)
            self._jobs.put(None)

    def _disconnect(self) -> None:
        if self.is_open:
            self.core.close()
            self.raw.close()


def settle(outcome: "asyncio.Future[Any]", result: object, failure: BaseException | None) -> None:
    """Set the result or exception of `outcome` on the caller's event loop, unless the caller was cancelled."""
    if outcome.done():
        return
    if failure is None:
        outcome.set_result(result)
    else:
        outcome.set_exception(failure)
