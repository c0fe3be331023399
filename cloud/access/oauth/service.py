"""Operations of the token, revocation and introspection endpoints.

The grant types are `client_credentials` and `authorization_code` (contract C-059, C-060); the module `redemption`
redeems the codes. Introspection reports a token of another tenant as inactive.
"""

import structlog

from cloud.access.apps import App, Apps, GrantType, ScopeUnknown, read_scopes
from cloud.access.oauth.client_authentication import Credentials, authenticated
from cloud.access.oauth.redemption import Redemption
from cloud.access.tokens import SECOND_US, Claims, Mint, Minted, Revocation, Verifier
from cloud.foundation.http import OAuthError
from cloud.foundation.trace import TraceContext
from cloud.foundation.viewer import Actor

log = structlog.get_logger()


class TokenEndpoint:
    """Operations of the token, revocation and introspection endpoints."""

    def __init__(
        self, apps: Apps, mint: Mint, verifier: Verifier, revocation: Revocation, redemption: Redemption
    ) -> None:
        self._apps = apps
        self._redemption = redemption
        self._mint = mint
        self._verifier = verifier
        self._revocation = revocation

    async def client_credentials(self, credentials: Credentials, scope: str | None) -> Minted:
        """Mint an access token in which the app acts for itself. `scope` None: all scopes of the app. Raises
        `OAuthError`."""
        app = await authenticated(self._apps, credentials)
        if GrantType.CLIENT_CREDENTIALS not in app.grant_types:
            raise _refused(app, "unauthorized_client", "This app is not registered for client_credentials.")
        try:
            names = () if scope is None else read_scopes(scope, entitled=app.usable_scopes)
            minted = await self._mint.access_token(app, names)
        except ScopeUnknown as error:
            raise _refused(app, "invalid_scope", f"{error.detail} {error.suggestion}".rstrip()) from None
        log.info("token.issued", client=app.client_id, tenant=app.tenant_id, jti=minted.claims.jti)
        return minted

    async def authorization_code(
        self,
        credentials: Credentials,
        code: str | None,
        redirect_uri: str | None,
        verifier: str | None,
        trace: TraceContext,
    ) -> Minted:
        """Mint an access token in which the app acts for the user who authorized the code. Raises `OAuthError`."""
        app = await authenticated(self._apps, credentials, public_too=True)
        if GrantType.AUTHORIZATION_CODE not in app.grant_types:
            raise _refused(app, "unauthorized_client", "This app is not registered for authorization_code.")
        if code is None:
            raise OAuthError("invalid_request", "code is missing.")
        return await self._redemption.redeem(app, code, redirect_uri, verifier, trace)

    async def introspect(self, credentials: Credentials, token: str) -> Claims | None:
        """Return the claims of a token, or None if the token is inactive or of another tenant. Raises `OAuthError`."""
        app = await authenticated(self._apps, credentials)
        claims = await self._verifier.active(token)
        return claims if claims is not None and claims.holder.tenant_id == app.tenant_id else None

    async def revoke(self, credentials: Credentials, token: str, trace: TraceContext) -> None:
        """Revoke a token of this client; ignore a token that is no longer valid (RFC 7009 §2.2). Raises `OAuthError` if
        the client is not authenticated or the token belongs to another client. The error for another client's token
        discloses nothing: any holder of a token can read the client id in it."""
        app = await authenticated(self._apps, credentials, public_too=True)
        claims = await self._verifier.claims(token)
        if claims is None:
            return
        if claims.client_id != app.client_id:
            raise _refused(app, "invalid_request", "This token was issued to another client.")
        expires_us = claims.expires_at_s * SECOND_US
        if await self._revocation.revoke(_actor_of(app, trace), claims.jti, app.client_id, expires_us):
            log.info("token.revoked", client=app.client_id, tenant=app.tenant_id, jti=claims.jti)


def _actor_of(app: App, trace: TraceContext) -> Actor:
    """Return the actor for a client that authenticated with its credentials and not with a token."""
    return Actor(
        app.tenant_id, app.organization_id, app.clearance, subject=app.client_id, client_id=app.client_id, trace=trace
    )


def _refused(app: App, error: str, description: str) -> OAuthError:
    log.info("token.refused", client=app.client_id, tenant=app.tenant_id, error=error)
    return OAuthError(error, description)
