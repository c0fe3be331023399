"""Notifications of PostgreSQL (LISTEN, NOTIFY) on a connection of their own, which is opened again after it has ended.

A connection of the pool would not do: it is lent to other callers, and LISTEN belongs to the session.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from cloud.foundation.db.address import PostgresqlAddress
from cloud.foundation.db.errors import DatabaseUnavailable, DatabaseUnusable
from cloud.foundation.db.postgresql_failures import DRIVER_ERRORS
from cloud.foundation.db.postgresql_pool import connect

RECONNECT_S = 5.0
"""Pause before a new connection. Until then callers find by polling what a notification would have reported."""

log = structlog.get_logger()


class Listener:
    """Passes the notifications of one channel to `on_notification`, and an empty text after each new connection."""

    def __init__(self, address: PostgresqlAddress, channel: str, on_notification: Callable[[str], None]) -> None:
        self._address = address
        self._channel = channel
        self._on_notification = on_notification

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
            await raw.add_listener(self._channel, self._pass_on)
            self._on_notification("")
            await ended.wait()
        finally:
            raw.terminate()

    def _pass_on(self, _connection: Any, _pid: int, _channel: str, text: Any) -> None:
        self._on_notification(str(text))
