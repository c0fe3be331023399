"""The connections of a process to its PostgreSQL server.

`asyncpg.Pool` makes them and closes those that are idle for long. Its checkout costs as much as a statement, since it
returns a connection in a task of its own (measured: 15 µs of CPU time, a statement 16). So idle connections stay on a
stack in front of it.

The callers queue here and not in `asyncpg.Pool`, whose queue gives a returned connection to the caller that comes at
that moment, and moves the one that has waited longest to the end. Of 600 requests at the same time, one then waited
until its time was over.

Few connections are opened at a time, in tasks of their own, and the first caller in the queue gets the next connection,
a new one or a returned one. If each caller opened its own, 24 would be opened at once at the first peak. On a loaded
machine this takes seconds, in which no request is served.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from cloud.foundation.db.address import PostgresqlAddress
from cloud.foundation.db.errors import DatabaseUnavailable
from cloud.foundation.db.postgresql_failures import DRIVER_ERRORS, connect_failure

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

CONNECTIONS = 14
"""Idle connections on the stack."""
CONNECTIONS_OVERFLOW = 10
"""Further connections at a peak. asyncpg closes them when they have been idle for five minutes."""
OPENING_MAX = 4
"""New connections that are opened at a time. Each costs the server a process and an authentication."""
OPENING_PAUSE_S = 1.0
"""Pause after a connection could not be opened while others are open, as when the server has no more. Without it, the
callers would use up the time of the server with attempts."""
CONNECTION_WAIT_S_MAX = 10.0
"""Longest wait for a connection, a new one or one that another caller has."""
CONNECT_S_MAX = 10.0
CLOSE_S_MAX = 10.0
"""Longest wait at the end: by then the callers have ended, and a server that does not respond must not hold us up."""
STATEMENTS_PREPARED_MAX = 256
"""Statements that a connection keeps prepared, at about 10 kB each on the server. The cloud has some 300. With the
default of 100, a process that serves everything would prepare again and again, each time with a further message."""

_OPTIONS = {"timeout": CONNECT_S_MAX, "server_settings": {"application_name": "argus-cloud"}}


async def connect(address: PostgresqlAddress) -> "asyncpg.Connection[asyncpg.Record]":
    """Return a connection outside a pool. Raises `DatabaseUnavailable`, `DatabaseUnusable`."""
    try:
        return await asyncpg.connect(address.driver_url(), **_OPTIONS)
    except DRIVER_ERRORS as error:
        raise connect_failure(error) from None


class ConnectionPool:
    """The connections to one database. A connection from `take` goes back by `give_back` or ends by `drop`."""

    def __init__(self, address: PostgresqlAddress) -> None:
        self._address = address
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._idle: list[PoolConnectionProxy[Any]] = []  # empty while callers wait
        self._waiting: deque[asyncio.Future[PoolConnectionProxy[Any]]] = deque()  # first come, first served
        self._opening: set[asyncio.Task[PoolConnectionProxy[Any]]] = set()
        self._open = 0  # connections on the stack, those that callers have, and those that are being opened
        self._pause: asyncio.TimerHandle | None = None  # after an opening that failed
        self._closing = False

    async def take(self) -> "PoolConnectionProxy[Any]":
        """Return the connection that was used last, or the next one that is returned or opened, when the callers before
        have theirs. It may be broken: the server may have ended it while it was idle. Raises `DatabaseUnavailable`,
        `DatabaseUnusable`."""
        if self._closing:
            raise _closed()
        if self._idle:
            return self._idle.pop()
        caller: asyncio.Future[PoolConnectionProxy[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(caller)
        self._open_more()
        try:
            async with asyncio.timeout(CONNECTION_WAIT_S_MAX):
                return await caller
        except BaseException as error:
            self._leave(caller)
            if isinstance(error, TimeoutError):
                raise connect_failure(error) from None
            raise

    def _leave(self, caller: "asyncio.Future[PoolConnectionProxy[Any]]") -> None:
        """Remove a caller that waits no longer from the queue. If it has got a connection meanwhile, pass that on."""
        if caller in self._waiting:
            self._waiting.remove(caller)
        elif not caller.cancelled() and caller.exception() is None:
            self._pass_on(caller.result())

    def _pass_on(self, raw: "PoolConnectionProxy[Any]") -> None:
        """Give a connection to the first caller in the queue, or put it on the stack. Close one that has no place."""
        while self._waiting:
            caller = self._waiting.popleft()
            if not caller.done():
                caller.set_result(raw)
                return
        if self._closing or len(self._idle) >= CONNECTIONS:
            self.drop(raw)
        else:
            self._idle.append(raw)

    def _has_open(self) -> bool:
        """Return whether any connection is open. While callers wait, others have it, and will return it."""
        return self._open > len(self._opening)

    def _open_more(self) -> None:
        """Open connections for the callers in the queue, within the limits."""
        if self._pause is not None and self._has_open():
            return
        opening_max = min(OPENING_MAX, len(self._waiting))
        while len(self._opening) < opening_max and self._open < CONNECTIONS + CONNECTIONS_OVERFLOW:
            self._open += 1
            task = asyncio.create_task(self._connection(), name="database connection")
            self._opening.add(task)
            task.add_done_callback(self._end_opening)

    async def _connection(self) -> "PoolConnectionProxy[Any]":
        if self._pool is None:
            self._pool = await self._made()
        return await self._pool.acquire()

    def _end_opening(self, task: "asyncio.Task[PoolConnectionProxy[Any]]") -> None:
        """Pass the opened connection on. If it could not be opened, the callers wait for those that others have. If
        there are none, the first caller in the queue gets the error."""
        self._opening.discard(task)
        error = _closed() if task.cancelled() else task.exception()
        if error is None:
            self._pass_on(task.result())
        else:
            self._open -= 1
            if not isinstance(error, DRIVER_ERRORS):
                self._fail_first(error)
            elif self._has_open():
                self._begin_pause()
            else:
                self._fail_first(connect_failure(error))
        self._open_more()

    def _begin_pause(self) -> None:
        if self._pause is None and not self._closing:
            self._pause = asyncio.get_running_loop().call_later(OPENING_PAUSE_S, self._end_pause)

    def _end_pause(self) -> None:
        self._pause = None
        self._open_more()

    def _fail_first(self, error: BaseException) -> None:
        """Give an error to the first caller in the queue."""
        while self._waiting:
            caller = self._waiting.popleft()
            if not caller.done():
                caller.set_exception(error)
                return

    async def _made(self) -> "asyncpg.Pool[asyncpg.Record]":
        """Return a pool without connections, so this does not wait for the server."""
        return await asyncpg.create_pool(
            self._address.driver_url(),
            min_size=0,
            max_size=CONNECTIONS + CONNECTIONS_OVERFLOW,
            reset=_leave_unchanged,
            statement_cache_size=STATEMENTS_PREPARED_MAX,
            **_OPTIONS,
        )

    @property
    def has_idle(self) -> bool:
        """True if `take` returns a connection that was used before."""
        return bool(self._idle)

    async def give_back(self, raw: "PoolConnectionProxy[Any]") -> None:
        """Return a usable connection outside a transaction."""
        has_place = not self._closing and (self._waiting or len(self._idle) < CONNECTIONS)
        if has_place or self._pool is None:
            self._pass_on(raw)
        else:
            self._open -= 1
            await self._pool.release(raw)  # continues in its own task if the caller is cancelled

    async def drop_idle(self) -> None:
        """Close all idle connections, since the server was restarted since their last use. `take` then returns a new
        connection, or one that another caller has just used."""
        idle, self._idle = self._idle, []
        for raw in idle:
            _terminate(raw)
        self._open -= len(idle)
        if self._pool is not None:
            await self._pool.expire_connections()

    def drop(self, raw: "PoolConnectionProxy[Any]") -> None:
        """Close a connection at once, without a message to the server, and free its place. The server rolls back."""
        _terminate(raw)
        self._open -= 1
        self._open_more()

    async def close(self) -> None:
        """Let the callers in the queue fail, and wait until all connections are returned; then close them. After
        `CLOSE_S_MAX`, close them at once."""
        self._closing = True
        if self._pause is not None:
            self._pause.cancel()
        while self._waiting:
            self._fail_first(_closed())  # before the openings end, so that none is opened again for them
        for task in self._opening:
            task.cancel()
        if self._opening:
            await asyncio.wait(self._opening)
        if self._pool is None:
            return
        while self._idle:
            await self._pool.release(self._idle.pop())
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._pool.close()


def _closed() -> DatabaseUnavailable:
    return DatabaseUnavailable("(the pool is closed)")


def _terminate(raw: "PoolConnectionProxy[Any]") -> None:
    with suppress(asyncpg.InterfaceError):  # asyncpg has found it broken, and has freed its place already
        raw.terminate()


async def _leave_unchanged(raw: object) -> None:
    """Replace asyncpg's reset, a message to the server at each return: nothing here changes a session's settings."""
