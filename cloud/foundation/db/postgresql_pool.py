"""The connections of a process to its PostgreSQL server.

`asyncpg.Pool` makes them and closes those that are idle for long. Its checkout costs as much as a statement, since it
returns a connection in a task of its own (measured: 15 µs of CPU time, a statement 16). So idle connections stay on a
stack in front of it.

The callers take turns here and not in `asyncpg.Pool`, whose queue gives a returned connection to the caller that comes
at that moment, and moves the one that has waited longest to the end. Of 600 requests at the same time, one then waited
until its time was over.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from cloud.foundation.db.address import PostgresqlAddress
from cloud.foundation.db.postgresql_failures import DRIVER_ERRORS, connect_failure

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

CONNECTIONS = 14
"""Idle connections on the stack."""
CONNECTIONS_OVERFLOW = 10
"""Further connections at a peak. asyncpg closes them when they have been idle for five minutes."""
CONNECTION_WAIT_S_MAX = 10.0
"""Longest wait for a connection that another caller has, and for a new one."""
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
        self._idle: list[PoolConnectionProxy[Any]] = []
        self._turns = asyncio.Semaphore(CONNECTIONS + CONNECTIONS_OVERFLOW)  # first come, first served
        self._connecting = 0  # callers that need a connection of the pool, and not one of the stack

    async def take(self) -> "PoolConnectionProxy[Any]":
        """Return the connection that was used last, or a new one, when the callers before have theirs. It may be
        broken: the server may have ended it while it was idle. Raises `DatabaseUnavailable`, `DatabaseUnusable`."""
        await self._wait_turn()
        return self._idle.pop() if self._idle else await self._connection()

    async def take_new(self) -> "PoolConnectionProxy[Any]":
        """Return a connection that was not idle on the stack."""
        await self._wait_turn()
        return await self._connection()

    async def _wait_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()  # at once
            return
        try:
            async with asyncio.timeout(CONNECTION_WAIT_S_MAX):
                await self._turns.acquire()
        except TimeoutError as error:
            raise connect_failure(error) from None

    async def _connection(self) -> "PoolConnectionProxy[Any]":
        """Return a connection of the pool, for a caller who has its turn."""
        self._connecting += 1
        try:
            if self._pool is None:
                self._pool = await self._made()
            async with asyncio.timeout(CONNECTION_WAIT_S_MAX):
                return await self._pool.acquire()
        except BaseException as error:
            self._turns.release()
            if isinstance(error, DRIVER_ERRORS):  # a TimeoutError is an OSError
                raise connect_failure(error) from None
            raise
        finally:
            self._connecting -= 1

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
        try:
            if not self._connecting and len(self._idle) < CONNECTIONS:
                self._idle.append(raw)
            elif self._pool is not None:
                await self._pool.release(raw)  # continues in its own task if the caller is cancelled
        finally:
            self._turns.release()

    async def drop_idle(self) -> None:
        """Close all idle connections, since the server was restarted since their last use."""
        idle, self._idle = self._idle, []
        for raw in idle:
            _terminate(raw)
        if self._pool is not None:
            await self._pool.expire_connections()

    def drop(self, raw: "PoolConnectionProxy[Any]") -> None:
        """Close a connection at once, without a message to the server, and free its place. The server rolls back."""
        _terminate(raw)
        self._turns.release()

    async def close(self) -> None:
        """Wait until all connections are returned, then close them. After `CLOSE_S_MAX`, close them at once."""
        if self._pool is None:
            return
        while self._idle:
            await self._pool.release(self._idle.pop())
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._pool.close()


def _terminate(raw: "PoolConnectionProxy[Any]") -> None:
    with suppress(asyncpg.InterfaceError):  # asyncpg has found it broken, and has freed its place already
        raw.terminate()


async def _leave_unchanged(raw: object) -> None:
    """Replace asyncpg's reset, a message to the server at each return: nothing here changes a session's settings."""
