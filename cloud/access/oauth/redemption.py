"""Redeem an authorization code for a token, once (RFC 6749 §4.1.3, RFC 7636 §4.6, contract A-036).

The token is minted first, and returned only if its id could be stored in the row of the code, so only one of several
concurrent redemptions succeeds. A code that is sent a second time may be stolen, so the token of its first redemption
is revoked (RFC 9700 §4.1.2).
"""

import base64
import hashlib
import hmac
import re

import structlog

from cloud.access.apps import App, ScopeUnknown
from cloud.access.audit import Audit
from cloud.access.identity import User, UserStore, actor_of
from cloud.access.oauth.store import Code, CodeStore
from cloud.access.tokens import SECOND_US, Mint, Minted, Revocation
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.http import OAuthError
from cloud.foundation.trace import TraceContext

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
KEPT_US = 24 * 3600 * SECOND_US
"""Time for which a used code is stored, so that a replay is detected: longer than the lifetime of its token."""

log = structlog.get_logger()


class Redemption:
    """Redeems authorization codes for tokens."""

    def __init__(self, database: Database, clock: Clock, mint: Mint, revocation: Revocation, audit: Audit) -> None:
        self._database = database
        self._clock = clock
        self._mint = mint
        self._revocation = revocation
        self._audit = audit
        self._codes = CodeStore()
        self._users = UserStore()

    async def redeem(
        self, app: App, code: str, redirect_uri: str | None, verifier: str | None, trace: TraceContext
    ) -> Minted:
        """Redeem an authorization code and return the token. `redirect_uri` and `verifier` (PKCE): the values of the
        token request. Raises `OAuthError`, with `invalid_grant` for every fault of the code."""
        if verifier is not None and VERIFIER.fullmatch(verifier) is None:
            raise OAuthError("invalid_request", "code_verifier has 43 to 128 unreserved characters.")
        async with self._database.read() as tx:
            found = await self._codes.find(tx, code)
            user = None if found is None else await self._users.standing(tx, found.user_id)
        if found is None or user is None or not self._fits(found, app, redirect_uri, verifier):
            raise _refused(app)
        if found.redeemed_jti is not None:
            await self._came_twice(app, user, found.redeemed_jti, trace)
            raise _refused(app)
        if self._clock.now_us() >= found.expires_at_us or user.disabled_at_us is not None:
            raise _refused(app)
        auth_time_s = found.authenticated_at_us // SECOND_US
        try:
            minted = await self._mint.delegated_token(app, user, found.scopes.split(), auth_time_s=auth_time_s)
        except ScopeUnknown:  # the app or the user has lost a scope since
            raise _refused(app) from None
        async with self._database.transaction() as tx:
            ours = await self._codes.redeem(tx, code, minted.claims.jti)
            if ours:
                await self._audit.record(tx, actor_of(user, trace), "token.issue", minted.claims.jti)
        if not ours:
            async with self._database.read() as tx:
                winner = await self._codes.find(tx, code)
            if winner is not None and winner.redeemed_jti is not None:
                await self._came_twice(app, user, winner.redeemed_jti, trace)
            raise _refused(app)
        log.info("token.issued", client=app.client_id, tenant=app.tenant_id, jti=minted.claims.jti, user=user.id)
        return minted

    @staticmethod
    def _fits(found: Code, app: App, redirect_uri: str | None, verifier: str | None) -> bool:
        """Return whether the code was issued to this app, for this redirect URI and PKCE verifier."""
        if found.client_id != app.client_id or found.redirect_uri != redirect_uri:
            return False
        if found.code_challenge is None or verifier is None:
            return found.code_challenge is None and verifier is None
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return hmac.compare_digest(challenge, found.code_challenge)

    async def _came_twice(self, app: App, user: User, jti: str, trace: TraceContext) -> None:
        if await self._revocation.revoke_replayed(actor_of(user, trace), jti, app.client_id):
            log.warning("code.replayed", client=app.client_id, tenant=app.tenant_id, jti=jti)


async def sweep_codes(tx: Transaction, now_us: int) -> int:
    """Delete a chunk of the codes that expired a day ago or earlier; return the number of codes. Until then a used code
    is kept, so that its replay is detected."""
    return await CodeStore().sweep(tx, now_us - KEPT_US)


def _refused(app: App) -> OAuthError:
    log.info("token.refused", client=app.client_id, tenant=app.tenant_id, error="invalid_grant")
    return OAuthError("invalid_grant", "The code is unknown, used, expired, or was not made for this request.")
