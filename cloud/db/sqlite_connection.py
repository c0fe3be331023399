"""One SQLite connection on a thread of its own, driven from the event loop.

SQLite blocks while the disk works, so every connection has one thread, and a job on it is one hop there and back: a
whole execution with its rows, instead of a hop for the cursor, the statement, the rows and the close as aiosqlite makes
it.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

Result = TypeVar("Result")

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


def connect(path: Path, *, create: bool = False, read_only: bool = False) -> sqlite3.Connection:
    """Open a file with our settings, in manual transaction mode. Without `create` an absent file is an error."""
    address = f"file:{quote(str(path.absolute()))}?mode={'rwc' if create else 'rw'}"
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
    """A connection, its thread, and SQLAlchemy's view of the same connection."""

    def __init__(self, path: Path, *, read_only: bool, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._open = partial(connect, path, read_only=read_only)
        self.raw: sqlite3.Connection
        self.core: Connection

    async def open(self) -> None:
        """Connect. Raises sqlite3.Error when the file is absent or damaged."""
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

    def submit(self, job: Callable[[], Result]) -> Future[Result]:
        """Queue a job; jobs of one connection run in the order in which they were queued."""
        return self._executor.submit(job)

    async def run(self, job: Callable[[], Result]) -> Result:
        """Queue a job and wait. A cancelled caller does not stop a job: what follows it in the queue comes after it."""
        return await asyncio.wrap_future(self.submit(job))

    async def close(self) -> None:
        """Close the connection after the jobs already queued."""
        if hasattr(self, "raw"):
            await self.run(self._disconnect)
        self._executor.shutdown(wait=False)

    def _disconnect(self) -> None:
        self.core.close()
        self.raw.close()
