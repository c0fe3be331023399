"""The life of the signing keys: make the first ones, rotate, withdraw.

There is always a next key waiting in the published set, so that a rotation can happen at once and no verifier that
cached the set is surprised. Rotation by age is an operator's timer: `argus-cloud keys rotate`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from cloud.access.standing import ChangeKind, ChangeLog
from cloud.access.tokens.errors import KeyTooFresh, KeyUnknown, TooManyKeys
from cloud.access.tokens.signing_key import PUBLISHED_LEAST_US, PUBLISHED_MAX, KeyState, SigningKey, generate
from cloud.access.tokens.store import KeyStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Database, Transaction
from cloud.foundation.master_key import MasterKey
from cloud.foundation.moments import write_moment

Make = Callable[[int, MasterKey, int], SigningKey]
"""Makes the key of a number at a moment."""

Witness = Callable[[Transaction, SigningKey], Awaitable[None]]
"""Writes the audit entry of a change, in the change's transaction; of a rotation it is given the new current key."""


async def nobody(tx: Transaction, key: SigningKey) -> None:
    """A witness for what happens by itself."""


class SigningKeys:
    """The use cases. `master` is asked when a key is to be made, and only then."""

    def __init__(
        self, database: Database, clock: Clock, master: Callable[[], MasterKey], make: Make = generate
    ) -> None:
        self._database = database
        self._clock = clock
        self._master = master
        self._make = make
        self._store = KeyStore()
        self._changes = ChangeLog()

    async def list(self) -> Sequence[SigningKey]:
        """Every key there ever was, oldest first."""
        async with self._database.read() as tx:
            return await self._store.list(tx)

    async def ensure(self) -> None:
        """Make a current and a next key where there are none; several processes may do so at once."""
        async with self._database.read() as tx:
            if await self._store.any(tx):
                return
        now_us = self._clock.now_us()
        first, second = [await self._generated(number, now_us) for number in (1, 2)]
        try:
            async with self._database.transaction() as tx:
                # Nobody has cached a key set yet: the very first key may sign at once.
                await self._store.add(tx, replace(first, signs_from_us=now_us))
                await self._store.add(tx, second)
                await self._changes.record(tx, ChangeKind.KEYS, "", now_us)
        except ConstraintViolated:
            return  # another process was quicker

    async def rotate(self, *, at_once: bool = False, witness: Witness = nobody) -> SigningKey:
        """The next key becomes current, the current one retires, a new next one is published; the new current key.

        `at_once`: also when the next key is too fresh for caches, as when the current one was stolen.
        Raises `KeyTooFresh`, `TooManyKeys`.
        """
        await self.ensure()
        async with self._database.read() as tx:
            _check_room(await self._store.list(tx), self._clock.now_us())
        return await self._rotate(at_once=at_once, witness=witness)

    async def _rotate(self, *, at_once: bool, witness: Witness = nobody) -> SigningKey:
        async with self._database.read() as tx:
            keys = await self._store.list(tx)
        now_us = self._clock.now_us()
        _check_usable(keys, now_us, at_once=at_once)  # before the work of making one
        number = keys[-1].number + 1
        fresh = await self._generated(number, now_us)
        async with self._database.transaction() as tx:
            keys = await self._store.list(tx, lock=True)
            successor = _check_usable(keys, now_us, at_once=at_once)
            for key in keys:
                if key.state is KeyState.CURRENT:
                    await self._store.move(tx, replace(key, retired_at_us=now_us))
            current = replace(successor, signs_from_us=now_us)
            await self._store.move(tx, current)
            await self._store.add(tx, fresh)
            await self._changes.record(tx, ChangeKind.KEYS, "", now_us)
            await witness(tx, current)
        return current

    async def withdraw(self, kid: str, *, witness: Witness = nobody) -> None:
        """End a key that is no longer ours alone: every token that it signed ends with it.

        The current key is replaced at once by the next one. Raises `KeyUnknown`.
        """
        found = {key.kid: key for key in await self.list()}.get(kid)
        if found is None or found.state is KeyState.WITHDRAWN:
            raise KeyUnknown
        if found.state is not KeyState.RETIRED:
            # A withdrawn next key must have passed through rotation, or there would be none to rotate to.
            # The set may be full: of those that this adds the withdrawn one leaves at once.
            await self._rotate(at_once=True)
            if found.state is KeyState.NEXT:
                await self._rotate(at_once=True)
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            (key,) = [key for key in await self._store.list(tx, lock=True) if key.kid == kid]
            await self._store.move(tx, replace(key, withdrawn_at_us=now_us))
            await self._changes.record(tx, ChangeKind.KEYS, "", now_us)
            await witness(tx, key)

    async def _generated(self, number: int, now_us: int) -> SigningKey:
        return await asyncio.to_thread(self._make, number, self._master(), now_us)


def _check_room(keys: Sequence[SigningKey], now_us: int) -> None:
    """Raises `TooManyKeys` when the published set is full."""
    published = [key for key in keys if key.is_published(now_us)]
    if len(published) >= PUBLISHED_MAX:
        ends_us = min(key.published_until_us for key in published if key.published_until_us is not None)
        raise TooManyKeys(f"({len(published)} keys are published; the next one leaves at {write_moment(ends_us)}.)")


def _check_usable(keys: Sequence[SigningKey], now_us: int, *, at_once: bool) -> SigningKey:
    """The next key, when every verifier can have seen it. Raises `KeyTooFresh`."""
    (successor,) = [key for key in keys if key.state is KeyState.NEXT]
    usable_us = successor.published_at_us + PUBLISHED_LEAST_US
    if now_us < usable_us and not at_once:
        raise KeyTooFresh(f"(It can be used from {write_moment(usable_us)}.)")
    return successor
