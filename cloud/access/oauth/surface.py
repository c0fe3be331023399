"""Build the parts of a process that handle tokens: the verifier, the mint, the routes and the sign-in pages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from cloud.access.apps import App, Apps
from cloud.access.audit import Audit
from cloud.access.identity import (
    AuthenticatorHandlers,
    PasswordHandlers,
    Passwords,
    RecoveryCodeHandlers,
    SecondFactorPolicy,
    SignIn,
    SignInHandlers,
    SignInSection,
    Users,
    sign_in_rows,
)
from cloud.access.oauth.consent import Authorization
from cloud.access.oauth.handlers import OAuthHandlers
from cloud.access.oauth.pages import AuthorizationHandlers
from cloud.access.oauth.redemption import Redemption
from cloud.access.oauth.routes import routes as oauth_routes
from cloud.access.oauth.service import TokenEndpoint
from cloud.access.tokens import (
    SECOND_US,
    AuthStateCache,
    KeySetHandlers,
    Mint,
    Names,
    Revocation,
    SigningKeys,
    Verifier,
    key_set_rows,
)
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.http import Bases, Host, Parts, Route
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKey, MasterKeyAbsent, MasterKeyUnfit
from cloud.foundation.pages import asset_rows
from cloud.foundation.settings import SettingsUnusable
from cloud.foundation.viewer import Actor

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TokenSurface:
    """The parts of a process that handle tokens and sign-in. The HTTP pipeline uses `verifier`; the auth host serves
    `routes`. Slices that issue tokens use `mint`. Slices with pages for signed-in users use `people` (the handlers of
    the sign-in pages) and `users`."""

    auth_state: AuthStateCache
    verifier: Verifier
    mint: Mint
    keys: SigningKeys
    people: SignInHandlers
    users: Users
    routes: tuple[Route, ...]

    async def service_token(
        self, actor: Actor, app: App, scopes: Sequence[str] | None, ttl_s: int | None
    ) -> tuple[str, str, int]:
        """Mint a service token; return the token, its jti and its expiry (µs since 1970). `scopes` None: all scopes of
        the app. `ttl_s` None: the default lifetime. Raises `ServiceTokensDisabled`, `LifetimeRefused`, `ScopeUnknown`,
        `KeysAbsent`."""
        minted = await self.mint.service_token(actor, app, scopes or (), ttl_s=ttl_s)
        return minted.token, minted.claims.jti, minted.claims.expires_at_s * SECOND_US

    async def start(self) -> None:
        """Make the first signing keys if there are none, and read the state of keys, apps and revocations. Without a
        master key the process still verifies tokens, and responds with 503 to requests that need a signature."""
        try:
            await self.keys.ensure()
        except (MasterKeyAbsent, MasterKeyUnfit, SettingsUnusable) as error:
            log.error("tokens.not_signable", why=error.sentence)
        await self.auth_state.refresh()


def token_surface(
    database: Database,
    clock: Clock,
    ids: Ids,
    bases: Bases,
    master: Callable[[], MasterKey],
    second_factor: SecondFactorPolicy = SecondFactorPolicy.ADMINISTRATORS,
) -> TokenSurface:
    """Build the parts of a process that handle tokens, without reading the database or the master key."""
    auth_state = AuthStateCache(database, clock)
    verifier = Verifier(auth_state, clock, bases)
    names = Names(issuer=bases[Host.AUTH], api=bases[Host.API])
    mint = Mint(database, clock, ids, auth_state, master, names)
    apps, audit, revocation = Apps(database, clock, ids), Audit(clock), Revocation(database, clock)
    redemption = Redemption(database, clock, mint, revocation, audit)
    endpoint = TokenEndpoint(apps, mint, verifier, revocation, redemption)
    authorization = Authorization(database, clock, apps, mint, audit)
    users = Users(database, clock, ids, Passwords())
    sign_in = SignIn(database, clock, users, audit, master, second_factor)
    people = SignInHandlers(sign_in, users, names.issuer, authorization.leads_to)
    rows = (
        *oauth_routes(
            OAuthHandlers(endpoint, names, bases[Host.DOCS]), AuthorizationHandlers(authorization, people, names.issuer)
        ),
        *key_set_rows(KeySetHandlers(auth_state, clock)),
        *sign_in_rows(
            people,
            PasswordHandlers(sign_in, people),
            RecoveryCodeHandlers(sign_in, users, people),
            AuthenticatorHandlers(sign_in, people),
        ),
        *asset_rows(),
    )
    return TokenSurface(auth_state, verifier, mint, SigningKeys(database, clock, master), people, users, rows)


def tokens_of(parts: Parts) -> TokenSurface:
    """Build the parts of a process that handle tokens. Call this as `parts.shared(tokens_of)`, so that the parts are
    built only once."""
    second_factor = SecondFactorPolicy(parts.settings.section(SignInSection).second_factor)
    return token_surface(parts.database, parts.clock, parts.ids, parts.bases, parts.master, second_factor)


def routes(parts: Parts) -> tuple[Route, ...]:
    return parts.shared(tokens_of).routes
