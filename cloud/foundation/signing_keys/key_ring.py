"""Make the first keys of one kind of signing keys, rotate them, and withdraw a stolen one.

A next key is always published in advance, so a rotation needs no preparation. The operator starts each rotation, for
example with a timer.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Generic

from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Database, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.signing_keys.life_cycle import Key, KeyState, begin, rotate
from cloud.foundation.signing_keys.store import KeyStore


class KeyRing(Generic[Key]):
    """All keys of one kind. `generate(number, now_us)` makes a new key, which may take a second."""

    UNKNOWN: ClassVar[type[DomainError]] = DomainError
    """The error of a key id that this kind of keys does not have."""

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
        """Return the keys that are published now, newest first. No key is made."""
        now_us = self._clock.now_us()
        return [key for key in reversed(await self.list()) if key.is_published(now_us)]

    async def ensure(self) -> None:
        """Make a current and a next key if there are no keys. Several processes may call this at once."""
        async with self._database.read() as tx:
            if await self._store.any(tx):
                return
        now_us = self._clock.now_us()
        first, second = [await self._make(number, now_us) for number in (1, 2)]
        try:
            async with self._database.transaction() as tx:
                await self._add_first(tx, first, second, now_us)
        except ConstraintViolated:
            return  # another process made them first

    async def _add_first(self, tx: Transaction, first: Key, second: Key, now_us: int) -> None:
        for key in begin(first, second, now_us):
            await self._store.add(tx, key)
        await self._record(tx)

    async def rotate(self, *, at_once: bool = False) -> Key:
        """Make the next key current, publish a new next key, and return the new current key. With `at_once`, rotate
        even if caches may not have the new current key yet, for instance after a theft. Raises the errors of this kind
        of keys: `too_fresh` if the next key was published too recently, `too_many` if too many keys are published."""
        await self.ensure()
        return await self._rotate(at_once=at_once, requested=True)

    async def withdraw(self, kid: str) -> None:
        """Withdraw a key whose private half may be stolen. If the current key is withdrawn, the next key replaces it at
        once. Raises `UNKNOWN` if there is no such key, or if it is withdrawn already."""
        found = {key.kid: key for key in await self.list()}.get(kid)
        if found is None or found.state is KeyState.WITHDRAWN:
            raise self.UNKNOWN
        # Withdrawing the next key takes two rotations, so that there is still a next one. The set may be full: a key
        # that leaves the set when it is withdrawn leaves it at once.
        for _ in range({KeyState.NEXT: 2, KeyState.CURRENT: 1}.get(found.state, 0)):
            await self._rotate(at_once=True, requested=False)
        async with self._database.transaction() as tx:
            (key,) = [key for key in await self._store.list(tx, lock=True) if key.kid == kid]
            withdrawn = replace(key, withdrawn_at_us=self._clock.now_us())
            await self._store.move(tx, withdrawn)
            await self._record(tx)
            await self._record_withdrawal(tx, withdrawn)

    async def _rotate(self, *, at_once: bool, requested: bool) -> Key:
        """Rotate the keys. `requested` is False in a withdrawal: the limit of published keys does then not apply, and
        the rotation has no audit entry of its own."""
        now_us = self._clock.now_us()
        keys = await self.list()
        rotate(keys, now_us, at_once=at_once, full=not requested)  # fail before a key is made, which takes long
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
        """Record in `tx` that the keys have changed. This class records nothing; a subclass for keys whose verifiers
        read such records overrides this method."""

    async def _record_rotation(self, tx: Transaction, current: Key) -> None:
        """Write the audit entry of a rotation that an operator requested. A class with an audit trail
        overrides this."""

    async def _record_withdrawal(self, tx: Transaction, withdrawn: Key) -> None:
        """Write the audit entry of a withdrawal. A class with an audit trail overrides this."""
