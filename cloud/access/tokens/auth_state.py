"""Keys, revocations, apps and users in this process's memory, so that a token is checked without the database.

When `POLL_S` have passed since the last read, the next request reads the new changes (one indexed query) and drops the
cached state of the changed objects. So a revocation usually takes effect in this process within 2 s. While the database
does not respond, the cached state is used for at most 60 s; then no token is accepted. `generation` increases when
changes are read. A token whose last check belongs to an earlier generation is checked again.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import structlog

from cloud.access.apps import AppStore, effective
from cloud.access.identity import UserStore
from cloud.access.standing import Change, ChangeKind, ChangeLog
from cloud.access.tokens.errors import RevocationUnknown
from cloud.access.tokens.jws import VerificationKey, header_segment
from cloud.access.tokens.signing_key import SigningKey
from cloud.access.tokens.store import RevokedTokenStore, SigningKeyStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, DatabaseUnavailable, Transaction

log = structlog.get_logger()

State = TypeVar("State")

POLL_S = 2.0
STALE_S_MAX = 60.0
REVOKED_MAX = 100_000
"""Revoked tokens in memory, about 10 MB. Beyond this, each new token is looked up in the database."""
CACHED_MAX = 10_000
"""The most apps in memory, and the most users."""


@dataclass(frozen=True, slots=True)
class AppState:
    """The present rights of an app. The scopes include the read scopes that write scopes imply. `service_tokens`: the
    app may use service tokens."""

    tenant_id: str
    scopes: frozenset[str]
    service_tokens: bool


@dataclass(frozen=True, slots=True)
class UserState:
    """The present rights of a user."""

    tenant_id: str
    enabled: bool
    scopes: frozenset[str]


class AuthStateCache:
    """The cache of keys, revocations, apps and users with which one process checks tokens."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._changes = ChangeLog()
        self._keys = SigningKeyStore()
        self._tokens = RevokedTokenStore()
        self._apps = AppStore()
        self._users = UserStore()
        self.generation = 0
        self.keys: tuple[SigningKey, ...] = ()
        self.verifying: dict[bytes, VerificationKey] = {}
        """Header segment → key."""
        self.by_kid: dict[str, VerificationKey] = {}
        self.due_s = float("-inf")
        """The time when the next read of changes is due, by the monotonic clock."""
        self._read_s = float("-inf")
        self._reading = False
        self._version = -1
        self._revoked: set[str] | None = set()
        self._known_apps: dict[str, AppState | None] = {}
        self._known_users: dict[str, UserState | None] = {}

    async def refresh(self) -> None:
        """Read the new changes of keys, revocations, apps and users from the database. Do nothing while another request
        reads them. Raises `RevocationUnknown` when the database has not responded for a minute."""
        now_s = self._clock.monotonic_s()
        first = self._version < 0
        if self._reading and not first:
            self._check_age(now_s)
            return
        self._reading = True
        try:
            async with self._database.read() as tx:
                await self._read_changes(tx)
            self._read_s = now_s
        except DatabaseUnavailable:
            self._check_age(now_s)
            log.warning("standing.not_refreshed", age_s=round(now_s - self._read_s, 1))
        finally:
            self._reading = False
            self.due_s = now_s + POLL_S

    async def refresh_if_possible(self) -> None:
        """Read the new changes of keys, revocations, apps and users. Raise no error if the database does not respond:
        the cached keys can still be published."""
        with suppress(RevocationUnknown):
            await self.refresh()

    def _check_age(self, now_s: float) -> None:
        if now_s - self._read_s > STALE_S_MAX:
            raise RevocationUnknown

    async def _read_changes(self, tx: Transaction) -> None:
        changes = None if self._version < 0 else await self._changes.since(tx, self._version)
        if changes is None:
            await self._read_all(tx)
        elif changes:
            await self._apply(tx, changes)

    async def _read_all(self, tx: Transaction) -> None:
        version = await self._changes.latest(tx)
        revoked = await self._tokens.alive(tx, self._clock.now_us(), REVOKED_MAX + 1)
        await self._read_keys(tx)
        self._revoked = None if len(revoked) > REVOKED_MAX else set(revoked)
        self._known_apps.clear()
        self._known_users.clear()
        self._version = version
        self.generation += 1

    async def _apply(self, tx: Transaction, changes: Sequence[Change]) -> None:
        kinds = {change.kind for change in changes}
        if ChangeKind.KEYS in kinds:
            await self._read_keys(tx)
        if self._revoked is not None and len(self._revoked) + len(changes) > REVOKED_MAX:
            # Most of these tokens may have expired since they were added. If not, each new token needs the database.
            alive = await self._tokens.alive(tx, self._clock.now_us(), REVOKED_MAX + 1)
            self._revoked = None if len(alive) > REVOKED_MAX else set(alive)
        for change in changes:
            match change.kind:
                case ChangeKind.TOKEN:
                    if self._revoked is not None:
                        self._revoked.add(change.subject)
                case ChangeKind.APP:
                    self._known_apps.pop(change.subject, None)
                case ChangeKind.USER:
                    self._known_users.pop(change.subject, None)
                case ChangeKind.KEYS:
                    pass
        self._version = changes[-1].version
        self.generation += 1

    async def _read_keys(self, tx: Transaction) -> None:
        now_us = self._clock.now_us()
        self.keys = tuple(key for key in await self._keys.list(tx) if key.is_published(now_us))
        self.verifying = {
            header_segment(key.kid): VerificationKey(key.kid, key.public(), key.retired_at_us, key.published_until_us)
            for key in self.keys
        }
        self.by_kid = {key.kid: key for key in self.verifying.values()}

    @property
    def current_key(self) -> SigningKey | None:
        """Return the key that signs new tokens, or None if there is no such key."""
        return next((key for key in self.keys if key.is_current), None)

    def published_keys(self) -> tuple[SigningKey, ...]:
        """Return the keys that are published now, newest first."""
        now_us = self._clock.now_us()
        return tuple(key for key in reversed(self.keys) if key.is_published(now_us))

    def may_be_revoked(self, jti: str) -> bool:
        """Return whether the token `jti` may be revoked, as far as the cache shows. True means that the caller must
        call `is_revoked`. False, the result for most tokens, means that the token is not revoked."""
        return self._revoked is None or jti in self._revoked

    def known_app(self, client_id: str) -> AppState | None:
        """Return the cached state of an app. None means that the state is not cached or that the app was deleted; the
        caller must then call `app`."""
        return self._known_apps.get(client_id)

    async def is_revoked(self, jti: str) -> bool:
        """Return whether this token was revoked, from the cache or the database."""
        if self._revoked is not None:
            return jti in self._revoked
        async with self._database.read() as tx:
            return await self._tokens.has(tx, jti)

    async def app(self, client_id: str) -> AppState | None:
        """Return the state of an app from the cache or the database, or None if the app was deleted."""
        try:
            return self._known_apps[client_id]
        except KeyError:
            pass
        generation = self.generation
        async with self._database.read() as tx:
            app = await self._apps.find(tx, client_id)
        found = None
        if app is not None:
            found = AppState(app.tenant_id, effective(app.usable_scopes), app.governance.allow_service_tokens)
        self._cache(self._known_apps, client_id, found, generation)
        return found

    async def user(self, user_id: str) -> UserState | None:
        """Return the state of a user from the cache or the database, or None if there is no such user."""
        try:
            return self._known_users[user_id]
        except KeyError:
            pass
        generation = self.generation
        async with self._database.read() as tx:
            user = await self._users.standing(tx, user_id)
        found = None if user is None else UserState(user.tenant_id, user.disabled_at_us is None, user.scopes)
        self._cache(self._known_users, user_id, found, generation)
        return found

    def _cache(self, known: dict[str, State | None], name: str, found: State | None, generation: int) -> None:
        """Cache the state `found` of an app or user under its id `name`. `generation`: the value of `self.generation`
        before `found` was read. If `self.generation` has changed since, `found` may be out of date and is not cached.
        """
        if generation != self.generation:
            return
        if len(known) >= CACHED_MAX:
            del known[next(iter(known))]
        known[name] = found
