"""Notifications of PostgreSQL (LISTEN, NOTIFY) on a connection of their own, which is opened again after it has ended.

A connection of the pool would not do: it is lent to other callers, and LISTEN belongs to the session. Each connection
holds a shared advisory lock of its channel, by which the listeners are counted, since PostgreSQL shows no session the
channels of others. It releases the lock of a process that was killed.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import BigInteger, Text, bindparam, cast, func, select
from sqlalchemy.sql import column, table

from cloud.foundation.db.address import PostgresqlAddress
from cloud.foundation.db.errors import DatabaseUnavailable, DatabaseUnusable
from cloud.foundation.db.postgresql_failures import DRIVER_ERRORS
from cloud.foundation.db.postgresql_pool import connect
from cloud.foundation.db.prepared import Prepared

RECONNECT_S = 5.0
"""Pause before a new connection. Until then callers find by polling what a notification would have reported."""

LOCK_CLASS = 1_634_887_539
"""The first number of the advisory locks of listeners; the second is the hash of the channel."""

# The name of the database is hashed too, since `pg_locks` has the locks of all databases of the server.
_COUNT_IN = "SELECT pg_advisory_lock_shared($1, hashtext(current_database() || ' ' || $2))"
_locks = table("pg_locks", *map(column, ("locktype", "classid", "objid", "granted")))
LISTENERS = Prepared(
    select(func.count())
    .select_from(_locks)
    .where(
        _locks.c.locktype == "advisory",
        cast(_locks.c.classid, BigInteger) == LOCK_CLASS,
        # An oid is without a sign, and a hash has one.
        cast(_locks.c.objid, BigInteger)
        == cast(func.hashtext(func.current_database() + " " + bindparam("channel", type_=Text)), BigInteger).op("&")(
            0xFFFFFFFF
        ),
        _locks.c.granted,
    )
)
"""The number of listeners of a channel."""

log = structlog.get_logger()


class Listener:
    """Passes the notifications of one channel to `on_notification`, and an empty text after each new connection. Calls
    `on_end` when a connection has ended."""

    def __init__(
        self,
        address: PostgresqlAddress,
        channel: str,
        on_notification: Callable[[str], None],
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._address = address
        self._channel = channel
        self._on_notification = on_notification
        self._on_end = on_end

    async def run(self) -> None:
        """Listen until the caller is cancelled."""
        while True:
            try:
                await self._listen_once()
            except (*DRIVER_ERRORS, DatabaseUnavailable, DatabaseUnusable) as error:
                log.warning("database.listener_interrupted", why=type(error).__name__)
            await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        """Listen until the connection ends."""
        raw = await connect(self._address)
        ended = asyncio.Event()
        try:
            raw.add_termination_listener(lambda _connection: ended.set())
            await raw.execute(_COUNT_IN, LOCK_CLASS, self._channel)  # first: who listens is always counted
            await raw.add_listener(self._channel, self._pass_on)
            self._on_notification("")
            await ended.wait()
        finally:
            raw.terminate()
            if self._on_end is not None:
                self._on_end()

    def _pass_on(self, _connection: Any, _pid: int, _channel: str, text: Any) -> None:
        self._on_notification(str(text))
