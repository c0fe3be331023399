"""The key set's handler. Public, and independent of the database once the keys have been read."""

from cloud.access.tokens.errors import KeysAbsent
from cloud.access.tokens.key_set import KeySet
from cloud.access.tokens.standing import Standing
from cloud.foundation.clock import Clock
from cloud.foundation.http import Answer, Request


class KeySetHandlers:
    """`GET` of either address."""

    def __init__(self, standing: Standing, clock: Clock) -> None:
        self._standing = standing
        self._clock = clock
        self._key_set = KeySet()

    async def key_set(self, request: Request) -> Answer:
        """The public keys of this moment. Raises `KeysAbsent` before there are any."""
        if self._clock.monotonic_s() >= self._standing.due_s:
            await self._standing.refresh_or_stay()
        keys = self._standing.published_keys()
        if not keys:
            raise KeysAbsent
        return self._key_set.answer(keys)
