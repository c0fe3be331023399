"""Verify a bearer token and return its caller: the `TokenVerifier` of the HTTP pipeline.

The checks run in this order: length, signature, claims, time, life of the key, what can end the token early (its
revocation, app or user), environment (sandbox or not), audience. A wrong environment raises `WrongEnvironment`. Every
other refusal is the same `InvalidToken`, which discloses no reason. The result is cached under the token's SHA-256,
never under the token, and is valid until the token expires. After a change is read, only the inexpensive checks are
repeated.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache

from cloud.access.apps import effective
from cloud.access.tokens.auth_state import AppState, AuthStateCache
from cloud.access.tokens.claims import Claims, ClaimsRefused, Holder, Names, TokenUse, read
from cloud.access.tokens.jws import TOKEN_LENGTH_MAX, SignatureRefused, may_be_signed, verify
from cloud.access.tokens.signing_key import SECOND_US, SKEW_US
from cloud.foundation.clock import Clock
from cloud.foundation.http import Bases, Caller, Host, InvalidToken, WrongEnvironment
from cloud.foundation.viewer import Viewer

VERDICTS_MAX = 10_000
"""Cached verdicts, about 1 kB each. The signatures of this many tokens are checked only once."""


@dataclass(slots=True)
class _Verdict:
    """The cached result of the checks of one token. `generation`: the version of the cached state with which the token
    was checked last. `caller` None: the last check refused the token."""

    claims: Claims
    kid: str
    ends_us: int
    generation: int
    caller: Caller | None


class Verifier:
    """Verifies bearer tokens in one process, and caches the results."""

    def __init__(self, state: AuthStateCache, clock: Clock, bases: Bases, *, verdicts_max: int = VERDICTS_MAX) -> None:
        self._state = state
        self._clock = clock
        self._bases = dict(bases)
        self._names = Names(issuer=bases[Host.AUTH], api=bases[Host.API])
        self._verdicts_max = verdicts_max
        self._verdicts: dict[bytes, _Verdict] = {}

    async def verify(self, bearer: str, host: Host) -> Caller:
        """Return the caller whom a bearer token authenticates on this host. Raises `InvalidToken`, `WrongEnvironment`,
        `RevocationUnknown`, `DatabaseUnavailable`."""
        if len(bearer) > TOKEN_LENGTH_MAX:
            raise InvalidToken
        state = self._state
        if self._clock.monotonic_s() >= state.due_s:
            await state.refresh()
        try:
            token = bearer.encode("ascii")
        except UnicodeEncodeError:
            raise InvalidToken from None
        digest = hashlib.sha256(token).digest()
        now_us = self._clock.now_us()
        verdict = self._verdicts.get(digest)
        if verdict is None:
            verdict = self._check_token(token, now_us)
            self._keep(digest, verdict)
        generation = state.generation  # read before the first await: a change meanwhile is applied at the next request
        if verdict.generation != generation:
            verdict.caller = self._caller_in_memory(verdict, now_us) or await self._look_up(verdict, now_us)
            verdict.generation = generation
        caller = verdict.caller
        if caller is None or now_us >= verdict.ends_us:
            raise InvalidToken
        if (verdict.claims.holder.use is TokenUse.SANDBOX) != (host is Host.SANDBOX):
            raise WrongEnvironment
        if host is not Host.SANDBOX and self._bases[host] not in verdict.claims.holder.audience:
            raise InvalidToken
        return caller

    def needs_arithmetic(self, bearer: str) -> bool:
        """Return whether `verify` would verify a signature: `may_be_signed` accepts the token, and no result is cached
        for it."""
        try:
            token = bearer.encode("ascii")
        except UnicodeEncodeError:
            return False
        return (
            len(token) <= TOKEN_LENGTH_MAX
            and hashlib.sha256(token).digest() not in self._verdicts
            and may_be_signed(token, self._state.verifying)
        )

    async def claims(self, bearer: str) -> Claims | None:
        """Return the claims of a token, whatever host the token is for; None when the token is not valid or has
        expired. A revocation of the token and changes of its app and user are not checked."""
        try:
            token = bearer.encode("ascii")
            if len(token) > TOKEN_LENGTH_MAX:
                return None
            if self._clock.monotonic_s() >= self._state.due_s:
                await self._state.refresh()
            now_us = self._clock.now_us()
            verdict = self._check_token(token, now_us)
        except (InvalidToken, UnicodeEncodeError):
            return None
        return verdict.claims if now_us < verdict.ends_us else None

    async def active(self, bearer: str) -> Claims | None:
        """Return the claims of a token if its host accepts the token now, otherwise None. Scopes that the app or user
        has lost since the token was issued are left out."""
        try:
            claims = await self.claims(bearer)
            if claims is None:
                return None
            use = claims.holder.use
            host = Host.SANDBOX if use is TokenUse.SANDBOX else Host.API
            if use is not TokenUse.SANDBOX and self._bases[Host.API] not in claims.holder.audience:
                host = Host.AUTH
            caller = await self.verify(bearer, host)
        except (InvalidToken, WrongEnvironment):
            return None
        return replace(claims, holder=replace(claims.holder, scopes=_remaining_scopes(claims, caller)))

    def _check_token(self, token: bytes, now_us: int) -> _Verdict:
        """Check the signature, the claims and the time of issue of a token. Raises `InvalidToken`."""
        try:
            payload, key = verify(token, self._state.verifying)
            claims = read(payload, self._names)
        except (SignatureRefused, ClaimsRefused):
            raise InvalidToken from None
        if claims.issued_at_s * SECOND_US > now_us + SKEW_US:
            raise InvalidToken
        return _Verdict(claims, key.kid, claims.expires_at_s * SECOND_US, -1, None)

    # Checks of everything that may have changed since the token was minted.

    def _caller_in_memory(self, verdict: _Verdict, now_us: int) -> Caller | None:
        """Return the caller of a token from the state cached in memory, which suffices for nearly every token. On None,
        call `_look_up`, which decides."""
        claims, state = verdict.claims, self._state
        holder = claims.holder
        app = state.known_app(holder.client_id)
        if app is None or holder.user_id is not None or state.may_be_revoked(claims.jti):
            return None
        if not self._is_signed_in_time(verdict, now_us) or not _may_hold(app, holder):
            return None
        return _make_caller(claims, effective(holder.scopes) & app.scopes)

    async def _look_up(self, verdict: _Verdict, now_us: int) -> Caller | None:
        """Return the caller of a token, with a database look-up if needed, or None when the token is not valid now."""
        claims, state = verdict.claims, self._state
        if not self._is_signed_in_time(verdict, now_us):
            return None
        if state.may_be_revoked(claims.jti) and await state.is_revoked(claims.jti):
            return None
        holder = claims.holder
        app = state.known_app(holder.client_id) or await state.app(holder.client_id)
        if app is None or not _may_hold(app, holder):
            return None
        scopes = effective(holder.scopes) & app.scopes
        user_id = holder.user_id
        if user_id is not None:
            user = await state.user(user_id)
            if user is None or user.tenant_id != holder.tenant_id or not user.enabled:
                return None
            scopes &= user.scopes
        return _make_caller(claims, scopes)

    def _is_signed_in_time(self, verdict: _Verdict, now_us: int) -> bool:
        """Return whether the token's key is still published and the token was issued before the key was retired, with
        an allowance for clocks that differ."""
        key = self._state.by_kid.get(verdict.kid)
        if key is None or (key.published_until_us is not None and now_us >= key.published_until_us):
            return False
        return key.retired_at_us is None or verdict.claims.issued_at_s * SECOND_US <= key.retired_at_us + SKEW_US

    def _keep(self, digest: bytes, verdict: _Verdict) -> None:
        if len(self._verdicts) >= self._verdicts_max:
            del self._verdicts[next(iter(self._verdicts))]
        self._verdicts[digest] = verdict


def _remaining_scopes(claims: Claims, caller: Caller) -> tuple[str, ...]:
    """Return the token's scopes except those that its app or user has lost since the token was issued."""
    return tuple(name for name in claims.scopes if name in caller.scopes)


def _may_hold(app: AppState, holder: Holder) -> bool:
    return app.tenant_id == holder.tenant_id and (holder.use is not TokenUse.SERVICE or app.service_tokens)


_viewer = lru_cache(maxsize=4096)(Viewer)
"""Cached, since many tokens share few tenants, organisations and clearances."""


def _make_caller(claims: Claims, scopes: frozenset[str]) -> Caller:
    holder = claims.holder
    return Caller(
        subject=holder.subject,
        client_id=holder.client_id,
        token_use=holder.use.value,
        scopes=scopes,
        viewer=_viewer(holder.tenant_id, holder.organization_id, holder.clearance),
        jti=claims.jti,
        expires_at_us=claims.expires_at_s * SECOND_US,
    )
