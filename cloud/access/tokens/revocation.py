"""Revoke a token before it expires. Every process refuses the token within seconds (security requirement S-051)."""

from cloud.access.audit import Audit, Outcome
from cloud.access.standing import ChangeKind, ChangeLog
from cloud.access.tokens.claims import SERVICE_TTL_S_MAX
from cloud.access.tokens.signing_key import SECOND_US
from cloud.access.tokens.store import RevokedTokenStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.viewer import Actor


class Revocation:
    """Revokes tokens."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._store = RevokedTokenStore()
        self._changes = ChangeLog()
        self._audit = Audit(clock)

    async def revoke(self, actor: Actor, jti: str, client_id: str, expires_at_us: int | None = None) -> bool:
        """Revoke the token `jti` of a client. Return False when it was revoked before. `expires_at_us` None: the expiry
        is unknown, so the revocation is kept for the longest lifetime of a token."""
        return await self._revoke(actor, jti, client_id, expires_at_us, "token.revoke", Outcome.DONE)

    async def revoke_replayed(self, actor: Actor, jti: str, client_id: str) -> bool:
        """Revoke the token `jti`, whose authorization code was sent a second time, and audit the refusal of the code.
        Return False when the token was revoked before."""
        return await self._revoke(actor, jti, client_id, None, "code.replayed", Outcome.REFUSED)

    async def _revoke(
        self, actor: Actor, jti: str, client_id: str, expires_at_us: int | None, action: str, outcome: Outcome
    ) -> bool:
        now_us = self._clock.now_us()
        until_us = now_us + SERVICE_TTL_S_MAX * SECOND_US if expires_at_us is None else expires_at_us
        async with self._database.transaction() as tx:
            if not await self._store.add(tx, jti, client_id, until_us, now_us):
                return False
            await self._changes.record(tx, ChangeKind.TOKEN, jti, now_us)
            await self._audit.record(tx, actor, action, jti, outcome)
        return True
