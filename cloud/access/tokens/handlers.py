"""Handlers of the key set. It is public, and its handlers do not need the database once the keys have been read."""

from cloud.access.tokens.auth_state import AuthStateCache
from cloud.access.tokens.errors import KeysAbsent
from cloud.access.tokens.key_set import KeySet
from cloud.foundation.clock import Clock
from cloud.foundation.http import Request, Response


class KeySetHandlers:
    """Handlers of the key set, which is served at two addresses."""

    def __init__(self, state: AuthStateCache, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._key_set = KeySet()

    async def key_set(self, request: Request) -> Response:
        """Return the public keys that are published now. Raises `KeysAbsent` before the first key exists."""
        if self._clock.monotonic_s() >= self._state.due_s:
            await self._state.refresh_if_possible()
        keys = self._state.published_keys()
        if not keys:
            raise KeysAbsent
        return self._key_set.respond(keys)
