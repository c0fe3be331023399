"""Revoke a token before its time; every process refuses it within seconds (S-051)."""

from collections.abc import Awaitable, Callable

from cloud.access.standing import ChangeKind, ChangeLog
from cloud.access.tokens.claims import SERVICE_TTL_S_MAX
from cloud.access.tokens.signing_key import SECOND_US
from cloud.access.tokens.store import RevokedTokenStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction

Witness = Callable[[Transaction], Awaitable[None]]


class Revocation:
    """The use case."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._store = RevokedTokenStore()
        self._changes = ChangeLog()

    async def revoke(
        self, jti: str, client_id: str, expires_at_us: int | None = None, *, witness: Witness | None = None
    ) -> bool:
        """False when it was revoked before. `expires_at_us` None: unknown, so for as long as any token lives.

        `witness` writes the audit entry, in the transaction of the revocation.
        """
        now_us = self._clock.now_us()
        until_us = now_us + SERVICE_TTL_S_MAX * SECOND_US if expires_at_us is None else expires_at_us
        async with self._database.transaction() as tx:
            if not await self._store.add(tx, jti, client_id, until_us, now_us):
                return False
            await self._changes.record(tx, ChangeKind.TOKEN, jti, now_us)
            if witness is not None:
                await witness(tx)
        return True
