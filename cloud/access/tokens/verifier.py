"""Whose a bearer token is, and whether it is good here and now: `TokenVerifier` of the HTTP pipeline.

A token is looked at in this order: length, signature, claims, time, key's life, environment, audience, then what can
end it early (its own revocation, its app, its user). Every refusal is the same `InvalidToken`: why is nobody's business
but the holder's, who can read the token. A verdict is kept under the token's SHA-256, never under the token, and holds
until the token expires or something changed; then only the cheap part is judged again.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache

from cloud.access.apps import effective
from cloud.access.tokens.claims import Claims, ClaimsRefused, Holder, Names, TokenUse, read
from cloud.access.tokens.jws import TOKEN_LENGTH_MAX, SignatureRefused, may_be_signed, verify
from cloud.access.tokens.signing_key import SECOND_US, SKEW_US
from cloud.access.tokens.standing import AppStanding, Standing
from cloud.foundation.clock import Clock
from cloud.foundation.http import Bases, Caller, Host, InvalidToken, WrongEnvironment
from cloud.foundation.viewer import Viewer

VERDICTS_MAX = 10_000
"""Tokens in use at the same time for which no arithmetic is needed; some 1 kB each."""


@dataclass(slots=True)
class _Verdict:
    """What was found about one token. `caller` None: refused when `generation` was judged."""

    claims: Claims
    kid: str
    ends_us: int
    generation: int
    caller: Caller | None


class Verifier:
    """One for each process."""

    def __init__(self, standing: Standing, clock: Clock, bases: Bases, *, verdicts_max: int = VERDICTS_MAX) -> None:
        self._standing = standing
        self._clock = clock
        self._bases = dict(bases)
        self._names = Names(issuer=bases[Host.AUTH], api=bases[Host.API])
        self._verdicts_max = verdicts_max
        self._verdicts: dict[bytes, _Verdict] = {}

    async def verify(self, bearer: str, host: Host) -> Caller:
        """The caller. Raises `InvalidToken`, `WrongEnvironment`, `StandingUnknown`, `DatabaseUnavailable`."""
        if len(bearer) > TOKEN_LENGTH_MAX:
            raise InvalidToken
        standing = self._standing
        if self._clock.monotonic_s() >= standing.due_s:
            await standing.refresh()
        try:
            token = bearer.encode("ascii")
        except UnicodeEncodeError:
            raise InvalidToken from None
        digest = hashlib.sha256(token).digest()
        now_us = self._clock.now_us()
        verdict = self._verdicts.get(digest)
        if verdict is None:
            verdict = self._first_sight(token, now_us)
            self._keep(digest, verdict)
        generation = standing.generation  # before anything is awaited: a change meanwhile is judged next time
        if verdict.generation != generation:
            verdict.caller = self._known(verdict, now_us) or await self._looked_up(verdict, now_us)
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
        """Whether this token has no verdict yet and looks like one of ours: `verify` has a signature to check."""
        try:
            token = bearer.encode("ascii")
        except UnicodeEncodeError:
            return False
        return (
            len(token) <= TOKEN_LENGTH_MAX
            and hashlib.sha256(token).digest() not in self._verdicts
            and may_be_signed(token, self._standing.verifying)
        )

    async def claims(self, bearer: str) -> Claims | None:
        """What a token of ours says, whatever host it is for; None when it is not, or no longer, a valid one."""
        try:
            token = bearer.encode("ascii")
            if len(token) > TOKEN_LENGTH_MAX:
                return None
            if self._clock.monotonic_s() >= self._standing.due_s:
                await self._standing.refresh()
            now_us = self._clock.now_us()
            verdict = self._first_sight(token, now_us)
        except (InvalidToken, UnicodeEncodeError):
            return None
        return verdict.claims if now_us < verdict.ends_us else None

    async def active(self, bearer: str) -> Claims | None:
        """What a token of ours says when it would be let in on the host that it is for; None otherwise."""
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
        return replace(claims, holder=replace(claims.holder, scopes=_still(claims, caller)))

    def _first_sight(self, token: bytes, now_us: int) -> _Verdict:
        """Everything that depends on the token alone. Raises `InvalidToken`."""
        try:
            payload, key = verify(token, self._standing.verifying)
            claims = read(payload, self._names)
        except (SignatureRefused, ClaimsRefused):
            raise InvalidToken from None
        if claims.issued_at_s * SECOND_US > now_us + SKEW_US:
            raise InvalidToken
        return _Verdict(claims, key.kid, claims.expires_at_s * SECOND_US, -1, None)

    # Everything that may have changed since the token was minted.

    def _known(self, verdict: _Verdict, now_us: int) -> Caller | None:
        """The caller where memory alone can say so, as for nearly every token; None: `_looked_up` has to look."""
        claims, standing = verdict.claims, self._standing
        holder = claims.holder
        app = standing.known_app(holder.client_id)
        if app is None or holder.user_id is not None or standing.may_be_revoked(claims.jti):
            return None
        if not self._signed_in_time(verdict, now_us) or not _may_hold(app, holder):
            return None
        return _caller_of(claims, effective(holder.scopes) & app.scopes)

    async def _looked_up(self, verdict: _Verdict, now_us: int) -> Caller | None:
        claims, standing = verdict.claims, self._standing
        if not self._signed_in_time(verdict, now_us):
            return None
        if standing.may_be_revoked(claims.jti) and await standing.is_revoked(claims.jti):
            return None
        holder = claims.holder
        app = standing.known_app(holder.client_id) or await standing.app(holder.client_id)
        if app is None or not _may_hold(app, holder):
            return None
        scopes = effective(holder.scopes) & app.scopes
        user_id = holder.user_id
        if user_id is not None:
            user = await standing.user(user_id)
            if user is None or user.tenant_id != holder.tenant_id or not user.enabled:
                return None
            scopes &= user.scopes
        return _caller_of(claims, scopes)

    def _signed_in_time(self, verdict: _Verdict, now_us: int) -> bool:
        """Whether the key was still signing when the token says it was signed, and may still be trusted."""
        key = self._standing.by_kid.get(verdict.kid)
        if key is None or (key.published_until_us is not None and now_us >= key.published_until_us):
            return False
        return key.retired_at_us is None or verdict.claims.issued_at_s * SECOND_US <= key.retired_at_us + SKEW_US

    def _keep(self, digest: bytes, verdict: _Verdict) -> None:
        if len(self._verdicts) >= self._verdicts_max:
            del self._verdicts[next(iter(self._verdicts))]
        self._verdicts[digest] = verdict


def _still(claims: Claims, caller: Caller) -> tuple[str, ...]:
    """Of the token's scopes those that were not taken from its app or user since."""
    return tuple(name for name in claims.scopes if name in caller.scopes)


def _may_hold(app: AppStanding, holder: Holder) -> bool:
    return app.tenant_id == holder.tenant_id and (holder.use is not TokenUse.SERVICE or app.service_tokens)


_viewer = lru_cache(maxsize=4096)(Viewer)
"""The viewers of tokens are few."""


def _caller_of(claims: Claims, scopes: frozenset[str]) -> Caller:
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
