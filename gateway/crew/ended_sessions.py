"""Sessions that were locked or signed out before their time, kept over a restart of the gateway.

A cookie is valid by its signature, so a copy of a locked session's cookie would open it again in a gateway that has
forgotten the lock. The ids are stored before the tablet learns of the lock. A store that cannot be written does not
prevent a lock: the id is in memory, and the next session that ends stores it too.

Does not decide when a session ends (session.py). A gateway whose store was damaged begins with an empty list.
"""

from typing import Protocol

import structlog

from gateway.buffer.errors import BufferError
from protocols.bounded_map import BoundedMap

ENDED_MAX = 160
"""Ids of one kind, the newest ones: a stored text has at most 4096 characters, and an id with its separator has 25. A
member's session is valid for minutes without use, and a live session for a shift, which has fewer sign-outs."""
_ID_LENGTH = 24

log = structlog.get_logger()


class SmallStore(Protocol):
    """Stores short texts by name (`gateway.buffer.Buffer`)."""

    async def state_get(self, name: str) -> str | None: ...

    async def state_put(self, name: str, value: str) -> None: ...


class EndedSessions:
    """Ids of ended sessions of one kind. `name`: name of the stored text. `store` None: they are in memory only."""

    def __init__(self, name: str, store: SmallStore | None) -> None:
        self._name = name
        self._store = store
        self._ids: BoundedMap[str, bool] = BoundedMap(ENDED_MAX)

    def __contains__(self, id: str) -> bool:
        return id in self._ids

    async def load(self) -> None:
        """Read what earlier runs of the gateway stored, and keep what ended meanwhile. A text that is damaged, or a
        store that cannot be read, gives no ids."""
        if self._store is None:
            return
        try:
            text = await self._store.state_get(self._name) or ""
        except BufferError as error:
            log.warning("crew.ended_sessions_unread", why=type(error).__name__)
            return
        if any(len(id) != _ID_LENGTH for id in text.split()):
            log.warning("crew.ended_sessions_unread", why="the stored text is damaged")
            return
        for id in (*text.split(), *list(self._ids)):
            self._ids[id] = True

    async def add(self, id: str) -> None:
        """Refuse the session from now on; return when this is stored."""
        self._ids[id] = True
        if self._store is None:
            return
        try:
            await self._store.state_put(self._name, " ".join(self._ids))
        except BufferError as error:
            log.warning("crew.ended_session_not_stored", why=type(error).__name__)
