"""The use cases of one kind of signing keys: make the first two, rotate.

There is always a next key in the published set, so a rotation can happen at any time. Rotation by age is an operator's
timer. Each kind adds its own effects of a change, such as the audit trail: `_record` runs in the transaction of every
change, `_record_rotation` in that of a requested rotation.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic

from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Database, Transaction
from cloud.foundation.signing_keys.life_cycle import Key, begin, rotate
from cloud.foundation.signing_keys.store import KeyStore


class KeyRing(Generic[Key]):
    """All keys of one kind. `generate` makes the key with a number at a moment; it may take a second."""

    def __init__(
        self, database: Database, clock: Clock, store: KeyStore[Key], generate: Callable[[int, int], Key]
    ) -> None:
        self._database = database
        self._clock = clock
        self._store = store
        self._generate = generate

    async def list(self) -> Sequence[Key]:
        """Return all keys, including withdrawn ones, oldest first."""
        async with self._database.read() as tx:
            return await self._store.list(tx)

    async def published(self) -> Sequence[Key]:
        """Return the published set of this moment, newest first. Reading makes no key."""
        now_us = self._clock.now_us()
        return [key for key in reversed(await self.list()) if key.is_published(now_us)]

    async def ensure(self) -> None:
        """Make a current and a next key where there are none; several processes may do so at once."""
        async with self._database.read() as tx:
            if await self._store.any(tx):
                return
        now_us = self._clock.now_us()
        first, second = [await self._make(number, now_us) for number in (1, 2)]
        try:
            async with self._database.transaction() as tx:
                for key in begin(first, second, now_us):
                    await self._store.add(tx, key)
                await self._record(tx)
        except ConstraintViolated:
            return  # another process made them first

    async def rotate(self, *, at_once: bool = False) -> Key:
        """Make the next key current, retire the current one and publish a new next one; return the new current key.

        `at_once`: rotate even when the next key is too fresh for caches, for instance after the current one was stolen.
        Raises the kind's `too_fresh` and `too_many`.
        """
        await self.ensure()
        return await self._rotate(at_once=at_once, requested=True)

    async def _rotate(self, *, at_once: bool, requested: bool) -> Key:
        """Rotate. `requested` False: a withdrawal rotates, without the limit of keys and without its own audit
        entry."""
        now_us = self._clock.now_us()
        keys = await self.list()
        rotate(keys, now_us, at_once=at_once, full=not requested)  # before the work of making a key
        fresh = await self._make(keys[-1].number + 1, now_us)
        async with self._database.transaction() as tx:
            keys = await self._store.list(tx, lock=True)
            rotation = rotate(keys, now_us, at_once=at_once, full=not requested)
            if keys[-1].number >= fresh.number:
                raise fresh.LIFE.too_fresh("(Another rotation has just published it.)")
            await self._store.move(tx, rotation.retired)
            await self._store.move(tx, rotation.current)
            await self._store.add(tx, fresh)
            await self._record(tx)
            if requested:
                await self._record_rotation(tx, rotation.current)
        return rotation.current

    async def _make(self, number: int, now_us: int) -> Key:
        return await asyncio.to_thread(self._generate, number, now_us)

    async def _record(self, tx: Transaction) -> None:
        """Record in `tx` that the keys have changed; a kind whose verifiers follow changes overrides this."""

    async def _record_rotation(self, tx: Transaction, current: Key) -> None:
        """Write the audit entry of a rotation that an operator requested."""
