"""Handlers of the published key set of the token keys. The key set is public. Once the keys have been read, the
handlers do not need the database.
"""

from cloud.access.tokens.auth_state import AuthStateCache
from cloud.access.tokens.errors import KeysAbsent
from cloud.access.tokens.key_set import KeySet
from cloud.foundation.clock import Clock
from cloud.foundation.http import Request, Response


class KeySetHandlers:
    """Handlers of the published key set (JWKS) of the token keys, which is served at two addresses."""

    def __init__(self, state: AuthStateCache, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._key_set = KeySet()

    async def key_set(self, request: Request) -> Response:
        """Return the published keys. Raises `KeysAbsent` before the first key exists."""
        if self._clock.monotonic_s() >= self._state.due_s:
            await self._state.refresh_if_possible()
        keys = self._state.published_keys()
        if not keys:
            raise KeysAbsent
        return self._key_set.respond(keys)
