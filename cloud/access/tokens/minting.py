"""Mint access and service tokens for apps (RFC 9068), signed with the current key.

A key stays published until its last token has expired, and the database stores this time. When a new token would expire
after the stored time, the stored time is first extended, by an hour more than needed. So there is one write an hour,
and otherwise minting costs only the RSA operation. The audit entry of a service token is durable before the token is
returned. While the entry is written, a thread signs the token, since OpenSSL releases the interpreter lock.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from cloud.access.apps import App, ScopeUnknown, check_approved, effective, on_auth_host
from cloud.access.audit import Audit
from cloud.access.identity import User
from cloud.access.tokens.auth_state import AuthStateCache
from cloud.access.tokens.claims import ACCESS_TTL_S, SERVICE_TTL_S, SERVICE_TTL_S_MAX, Claims, Holder, Names, TokenUse
from cloud.access.tokens.errors import KeysAbsent, LifetimeRefused, ServiceTokensDisabled
from cloud.access.tokens.jws import sign
from cloud.access.tokens.signing_key import SECOND_US, SigningKey
from cloud.access.tokens.store import SigningKeyStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKey
from cloud.foundation.viewer import Actor, SecrecyLevel

COVER_GRAIN_US = 3600 * SECOND_US
SERVICE_TTL_S_LEAST = 60


@dataclass(frozen=True, slots=True)
class Minted:
    """A signed token and its claims."""

    token: str = field(repr=False)
    claims: Claims


class Mint:
    """Mints the tokens of one process. The function `master` returns the master key, and is called once for each
    signing key."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        state: AuthStateCache,
        master: Callable[[], MasterKey],
        names: Names,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._state = state
        self._master = master
        self._names = names
        self._store = SigningKeyStore()
        self._audit = Audit(clock)
        self._opened: tuple[str, RSAPrivateKey] | None = None
        self._covers: tuple[str, int] = ("", 0)

    async def access_token(self, app: App, scopes: Sequence[str] = ()) -> Minted:
        """Mint a token, valid for at most one hour, in which the app acts for itself. `scopes` empty: all scopes of the
        app. Raises `KeysAbsent`, and `ScopeUnknown` if any scope is not approved."""
        return await self._minted(self._claims(app, None, scopes, TokenUse.ACCESS, ACCESS_TTL_S))

    async def delegated_token(self, app: App, user: User, scopes: Sequence[str], *, auth_time_s: int) -> Minted:
        """Mint a token, valid for at most one hour, in which the app acts for the user who signed in at `auth_time_s`.
        Raises `KeysAbsent`, and `ScopeUnknown` for a scope that the app or the user has lost."""
        claims = self._claims(app, user, scopes, TokenUse.ACCESS, ACCESS_TTL_S)
        return await self._minted(replace(claims, auth_time_s=auth_time_s))

    def grantable(self, app: App, user: User, scopes: Sequence[str]) -> tuple[str, ...]:
        """Return the scopes that a token can have in which `app` acts for `user`: the requested `scopes`, or all scopes
        that app and user share if `scopes` is empty. Raises `ScopeUnknown`."""
        return self._claims(app, user, scopes, TokenUse.ACCESS, ACCESS_TTL_S).holder.scopes

    async def service_token(
        self, actor: Actor, app: App, scopes: Sequence[str] = (), *, user: User | None = None, ttl_s: int | None = None
    ) -> Minted:
        """Mint a token for automation. With a `user`, the app acts for this user, with the rights that app and user
        share. `ttl_s`: the lifetime in seconds, None for the default. Raises `ServiceTokensDisabled`,
        `LifetimeRefused`, `ScopeUnknown`, `KeysAbsent`."""
        if not app.governance.allow_service_tokens:
            raise ServiceTokensDisabled
        longest_s = min(SERVICE_TTL_S_MAX, app.governance.max_token_ttl_seconds or SERVICE_TTL_S_MAX)
        ttl_s = min(SERVICE_TTL_S, longest_s) if ttl_s is None else ttl_s
        if not SERVICE_TTL_S_LEAST <= ttl_s <= longest_s:
            raise LifetimeRefused(f"(At most {longest_s} s for this app.)")
        claims = self._claims(app, user, scopes, TokenUse.SERVICE, ttl_s)
        return await self._audited(actor, claims)

    def _claims(self, app: App, user: User | None, scopes: Sequence[str], use: TokenUse, ttl_s: int) -> Claims:
        approved = effective(app.usable_scopes)
        if user is not None:
            approved &= user.scopes
        granted = tuple(scopes) or tuple(name for name in app.usable_scopes if name in approved)
        if not granted:
            raise ScopeUnknown("No scope is approved for this app.")
        check_approved(granted, approved, field="scopes")
        ttl_s = min(ttl_s, app.governance.max_token_ttl_seconds or ttl_s)
        now_s = self._clock.now_us() // SECOND_US
        audience = {self._names.api}
        if on_auth_host(granted):
            audience.add(self._names.issuer)
        holder = Holder(
            subject=app.client_id if user is None else user.id,
            audience=frozenset(audience),
            client_id=app.client_id,
            scopes=granted,
            tenant_id=app.tenant_id,
            organization_id=app.organization_id if user is None else _narrower(app.organization_id, user),
            clearance=app.clearance if user is None else SecrecyLevel(min(app.clearance, user.clearance)),
            use=use,
        )
        return Claims(holder, self._ids.new("tok"), now_s, now_s + ttl_s, None if user is None else now_s)

    async def _minted(self, claims: Claims) -> Minted:
        kid, private = await self._signer(claims.expires_at_s * SECOND_US)
        return Minted(sign(private, kid, self._payload(claims)), claims)

    async def _audited(self, actor: Actor, claims: Claims) -> Minted:
        kid, private = await self._signer(claims.expires_at_s * SECOND_US)
        loop = asyncio.get_running_loop()
        signing = loop.run_in_executor(None, sign, private, kid, self._payload(claims))
        try:
            async with self._database.transaction() as tx:
                metadata = {"jti": claims.jti}
                await self._audit.record(tx, actor, "app.service_token", claims.holder.client_id, metadata=metadata)
        except BaseException:
            signing.cancel()
            raise
        return Minted(await signing, claims)

    def _payload(self, claims: Claims) -> bytes:
        return orjson.dumps(claims.document(self._names))

    async def _signer(self, expires_us: int) -> tuple[str, RSAPrivateKey]:
        """Return the id and private half of the current key. The key stays published at least until `expires_us`.
        Raises `KeysAbsent`."""
        if self._clock.monotonic_s() >= self._state.due_s:
            await self._state.refresh()
        for _ in range(2):
            key = self._state.current_key
            if key is None:
                raise KeysAbsent
            if self._covers[0] != key.kid:
                self._covers = (key.kid, key.covers_until_us)
            if expires_us <= self._covers[1] or await self._cover(key, expires_us + COVER_GRAIN_US):
                return key.kid, self._private(key)
            await self._state.refresh()  # the key was rotated in this moment
        raise KeysAbsent

    async def _cover(self, key: SigningKey, until_us: int) -> bool:
        async with self._database.transaction() as tx:
            signs = await self._store.cover(tx, key.kid, until_us)
        if signs:
            self._covers = (key.kid, until_us)
        return signs

    def _private(self, key: SigningKey) -> RSAPrivateKey:
        if self._opened is None or self._opened[0] != key.kid:
            self._opened = (key.kid, key.private(self._master()))
        return self._opened[1]


def _narrower(organization_id: str | None, user: User) -> str | None:
    """Return the organisation in which the app may act for the user: the one to which the app or the user is bound, or
    None for the whole tenant. Raises `ScopeUnknown` if app and user are bound to different organisations: each has
    rights only in its own organisation. `organization_id`: the app's organisation."""
    if organization_id is not None and user.organization_id not in (None, organization_id):
        raise ScopeUnknown
    return organization_id or user.organization_id
