"""Add, authenticate, change and disable users. Each change writes its audit entry in the same transaction; a change of
a password or second factor ends the user's sessions.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloud.access.audit import Audit
from cloud.access.identity.errors import LevelExceeded, NotOneself, RoleUnknown, UsernameMalformed, UserUnknown
from cloud.access.identity.model import Role, User
from cloud.access.identity.passwords import Passwords
from cloud.access.identity.recovery_codes import RecoveryCodeStore
from cloud.access.identity.second_factor import SecondFactorStore
from cloud.access.identity.sessions import SessionStore
from cloud.access.identity.store import UserStore
from cloud.access.identity.usernames import folded, new_username
from cloud.access.standing import ChangeKind, ChangeLog
from cloud.access.tenancy import IdentifierTaken, OrganizationUnknown, TenancyStore, TenantUnknown
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.ids import Ids
from cloud.foundation.viewer import Actor, SecrecyLevel, Viewer


class Users:
    """Operations on users. An actor cannot change the actor's own user, so no administrator can lock themselves out."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, passwords: Passwords) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._passwords = passwords
        self._store = UserStore()
        self._sessions = SessionStore()
        self._factors = SecondFactorStore()
        self._recovery = RecoveryCodeStore()
        self._changes = ChangeLog()
        self._tenancy = TenancyStore()
        self._audit = Audit(clock)

    async def add(
        self,
        actor: Actor,
        username: str,
        password: str,
        *,
        roles: Sequence[str],
        organization_id: str | None = None,
        clearance: SecrecyLevel = SecrecyLevel.STANDARD,
    ) -> User:
        """Add a user with at most the actor's clearance, in the actor's organisation when `organization_id` is None.

        Raises `IdentifierTaken`, `PasswordUnfit`, `RoleUnknown`, `UsernameMalformed`, `LevelExceeded`, `TenantUnknown`,
        `OrganizationUnknown`.
        """
        organization_id = organization_id or actor.organization_id
        if clearance > actor.clearance:
            raise LevelExceeded
        user = User(
            id=self._ids.new("usr"),
            tenant_id=actor.tenant_id,
            organization_id=organization_id,
            username=new_username(username),
            roles=checked_roles(roles),
            clearance=clearance,
            created_at_us=self._clock.now_us(),
        )
        hashed = await self._passwords.hash(password)  # before the transaction, which holds the one writer
        async with self._database.transaction() as tx:
            if not await self._tenancy.has_tenant(tx, actor.tenant_id):
                raise TenantUnknown
            known = organization_id is None or await self._tenancy.find_organization(tx, actor, organization_id)
            if not known:
                raise OrganizationUnknown
            if not await self._store.add(tx, user, hashed):
                raise IdentifierTaken("(user name)")
            metadata = {"roles": list(user.roles)}
            await self._audit.record(tx, actor, "user.add", user.id, metadata=metadata)
        return user

    async def list(
        self, viewer: Viewer, *, after: str | None = None, count: int | None = None, named: str | None = None
    ) -> Sequence[User]:
        """Return users in the order of their ids. `after`: only users with a greater id. `count`: at most this number.
        `named`: a part of the user name."""
        async with self._database.read() as tx:
            return await self._store.list(tx, viewer, after=after, count=count, named=named)

    async def find(self, viewer: Viewer, username: str) -> User:
        """Return the user with this user name. Raises `UserUnknown`."""
        async with self._database.read() as tx:
            user = await self._store.find(tx, viewer, folded(username))
        if user is None:
            raise UserUnknown
        return user

    async def authenticate(self, username: str, password: str) -> User | None:
        """Return the user with this name and password. Return None if the name is unknown, the password is wrong, or
        the user is disabled. The duration is the same for an unknown name."""
        try:
            name = folded(username)
        except UsernameMalformed:
            name = ""
        async with self._database.read() as tx:
            found = await self._store.by_username(tx, name)
        proved = await self._passwords.matches(password, None if found is None else found[1])
        return found[0] if proved and found is not None and found[0].disabled_at_us is None else None

    async def find_by_id(self, viewer: Viewer, user_id: str) -> User:
        """Return the user with this id. Raises `UserUnknown`."""
        async with self._database.read() as tx:
            user = await self._store.by_id(tx, viewer, user_id)
        if user is None:
            raise UserUnknown
        return user

    async def recovery_codes_left(self, user: User) -> int:
        async with self._database.read() as tx:
            return await self._recovery.count(tx, user.id)

    async def hash_password(self, password: str) -> str:
        """Return the hash of a new password, for storage. Raises `PasswordUnfit`."""
        return await self._passwords.hash(password)

    async def set_disabled(self, actor: Actor, username: str, disabled: bool) -> User:
        """Enable a user, or disable the user and end the user's sessions and tokens. Raises `UserUnknown`,
        `NotOneself`."""
        now_us = self._clock.now_us()

        async def change(tx: Transaction, user: User) -> User:
            at_us = now_us if disabled else None
            await self._store.set_disabled(tx, actor, user.id, at_us)
            if disabled:
                await self._sessions.end_all(tx, user.id)
            return replace(user, disabled_at_us=at_us)

        return await self._change(actor, username, "user.disable" if disabled else "user.enable", change)

    async def set_roles(self, actor: Actor, username: str, roles: Sequence[str]) -> User:
        """Set all roles of a user. Tokens with which apps act for this user lose the scopes of the removed roles.
        Raises `RoleUnknown`, `UserUnknown`, `NotOneself`."""
        wanted = checked_roles(roles)

        async def change(tx: Transaction, user: User) -> User:
            await self._store.set_roles(tx, actor, user.id, wanted)
            return replace(user, roles=wanted)

        return await self._change(actor, username, "user.set_roles", change, metadata={"roles": list(wanted)})

    async def set_password(self, actor: Actor, username: str, password: str) -> User:
        """Replace a user's forgotten password; all sessions of the user end. Raises `PasswordUnfit`, `UserUnknown`,
        `NotOneself`."""
        hashed = await self._passwords.hash(password)

        async def change(tx: Transaction, user: User) -> User:
            await self._store.set_password(tx, user.id, hashed)
            await self._sessions.end_all(tx, user.id)
            return user

        return await self._change(actor, username, "user.set_password", change)

    async def reset_second_factor(self, actor: Actor, username: str) -> User:
        """Remove a user's lost second factor and recovery codes; all sessions of the user end. The actor must first
        verify the identity of the person who requests the removal. If the policy requires a second factor, the user
        sets up a new one at the next sign-in. Raises `UserUnknown`, `NotOneself`."""

        async def change(tx: Transaction, user: User) -> User:
            await self._factors.remove(tx, user.id)
            await self._recovery.remove(tx, user.id)
            await self._sessions.end_all(tx, user.id)
            return replace(user, has_second_factor=False)

        return await self._change(actor, username, "user.reset_second_factor", change)

    async def _change(
        self,
        actor: Actor,
        username: str,
        action: str,
        change: Callable[[Transaction, User], Awaitable[User]],
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> User:
        now_us, name = self._clock.now_us(), folded(username)
        async with self._database.transaction() as tx:
            user = await self._store.find(tx, actor, name)
            if user is None:
                raise UserUnknown
            if user.id == actor.subject:
                raise NotOneself
            await self._check_still_administers(tx, actor.subject, user.id)
            changed = await change(tx, user)
            await self._changes.record(tx, ChangeKind.USER, user.id, now_us)
            await self._audit.record(tx, actor, action, user.id, metadata=metadata)
        return changed

    async def _check_still_administers(self, tx: Transaction, subject: str, user_id: str) -> None:
        """Lock the actor (`subject`) and the user to be changed; raise `UserUnknown` if the actor is no longer an
        administrator. Without the lock, two administrators who remove each other's role at the same time would leave no
        administrator. The operator at the console is not a user and passes the check."""
        for one in await self._store.locked(tx, [subject, user_id]):
            if one.id == subject and (one.disabled_at_us is not None or Role.ADMINISTRATOR not in one.roles):
                raise UserUnknown


def checked_roles(roles: Sequence[str]) -> tuple[Role, ...]:
    """Return the named roles, each once, in the order of `Role`. Raises `RoleUnknown`, also for an empty list."""
    if not roles or not set(roles) <= set(Role):
        raise RoleUnknown
    return tuple(role for role in Role if role in roles)
