"""Add users, check their passwords, disable them, and give back what they have lost: a password, a telephone.

Each change takes a `witness`, which writes its audit entry in the same transaction. What changes how somebody is proved
also ends their sessions.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from cloud.access.identity.errors import LevelExceeded, NotOneself, RoleUnknown, UsernameMalformed, UserUnknown
from cloud.access.identity.model import Role, User
from cloud.access.identity.passwords import Passwords
from cloud.access.identity.second_factor import SecondFactorStore
from cloud.access.identity.sessions import SessionStore
from cloud.access.identity.store import UserStore
from cloud.access.identity.usernames import folded, new_username
from cloud.access.standing import ChangeKind, ChangeLog
from cloud.access.tenancy import IdentifierTaken, OrganizationUnknown, TenancyStore, TenantUnknown
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.ids import Ids
from cloud.foundation.viewer import SecrecyLevel, Viewer

Witness = Callable[[Transaction, User], Awaitable[None]]
"""Writes the audit entry of a change, in the change's transaction."""


async def nobody(tx: Transaction, user: User) -> None:
    """A witness for tests and for changes that need none."""


class Users:
    """The use cases. `by`: who changes somebody, when that is a user too; nobody may lock themselves out."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, passwords: Passwords) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._passwords = passwords
        self._store = UserStore()
        self._sessions = SessionStore()
        self._factors = SecondFactorStore()
        self._changes = ChangeLog()
        self._tenancy = TenancyStore()

    async def add(
        self,
        viewer: Viewer,
        username: str,
        password: str,
        *,
        roles: Sequence[str],
        organization_id: str | None = None,
        clearance: SecrecyLevel = SecrecyLevel.STANDARD,
        witness: Witness = nobody,
    ) -> User:
        """Somebody new, of the viewer's organisation where the viewer has one, who sees no more than the viewer.

        Raises `IdentifierTaken`, `PasswordUnfit`, `RoleUnknown`, `UsernameMalformed`, `LevelExceeded` and the unknown
        kinds.
        """
        organization_id = organization_id or viewer.organization_id
        if clearance > viewer.clearance:
            raise LevelExceeded
        user = User(
            id=self._ids.new("usr"),
            tenant_id=viewer.tenant_id,
            organization_id=organization_id,
            username=new_username(username),
            roles=checked_roles(roles),
            clearance=clearance,
            created_at_us=self._clock.now_us(),
        )
        hashed = await self._passwords.hash(password)  # before the transaction, which holds the one writer
        async with self._database.transaction() as tx:
            if not await self._tenancy.has_tenant(tx, viewer.tenant_id):
                raise TenantUnknown
            known = organization_id is None or await self._tenancy.find_organization(tx, viewer, organization_id)
            if not known:
                raise OrganizationUnknown
            if not await self._store.add(tx, user, hashed):
                raise IdentifierTaken("(user name)")
            await witness(tx, user)
        return user

    async def list(
        self, viewer: Viewer, *, after: str | None = None, count: int | None = None, named: str | None = None
    ) -> Sequence[User]:
        """In the order of their ids; all of them, or `count` of those behind `after`. `named`: a part of the name."""
        async with self._database.read() as tx:
            return await self._store.list(tx, viewer, after=after, count=count, named=named)

    async def find(self, viewer: Viewer, username: str) -> User:
        """Raises `UserUnknown`."""
        async with self._database.read() as tx:
            user = await self._store.find(tx, viewer, folded(username))
        if user is None:
            raise UserUnknown
        return user

    async def authenticate(self, username: str, password: str) -> User | None:
        """The user when the password is theirs and they are not disabled; as slow for a name that nobody has."""
        try:
            name = folded(username)
        except UsernameMalformed:
            name = ""
        async with self._database.read() as tx:
            found = await self._store.by_username(tx, name)
        proved = await self._passwords.matches(password, None if found is None else found[1])
        return found[0] if proved and found is not None and found[0].disabled_at_us is None else None

    async def find_by_id(self, viewer: Viewer, user_id: str) -> User:
        """Raises `UserUnknown`."""
        async with self._database.read() as tx:
            user = await self._store.by_id(tx, viewer, user_id)
        if user is None:
            raise UserUnknown
        return user

    async def set_disabled(
        self, viewer: Viewer, username: str, disabled: bool, *, by: str | None = None, witness: Witness = nobody
    ) -> User:
        """Disable: no sign-in, and their tokens end everywhere; or enable again. Raises `UserUnknown`, `NotOneself`."""
        now_us = self._clock.now_us()

        async def change(tx: Transaction, user: User) -> User:
            at_us = now_us if disabled else None
            await self._store.set_disabled(tx, viewer, user.id, at_us)
            if disabled:
                await self._sessions.end_all(tx, user.id)
            return replace(user, disabled_at_us=at_us)

        return await self._change(viewer, username, change, by, witness)

    async def set_roles(
        self, viewer: Viewer, username: str, roles: Sequence[str], *, by: str | None = None, witness: Witness = nobody
    ) -> User:
        """What they are from now on; tokens that act for them lose what goes with it.

        Raises `RoleUnknown`, `UserUnknown`, `NotOneself`.
        """
        wanted = checked_roles(roles)

        async def change(tx: Transaction, user: User) -> User:
            await self._store.set_roles(tx, viewer, user.id, wanted)
            return replace(user, roles=wanted)

        return await self._change(viewer, username, change, by, witness)

    async def set_password(
        self, viewer: Viewer, username: str, password: str, *, by: str | None = None, witness: Witness = nobody
    ) -> User:
        """For somebody who has forgotten theirs; every session of theirs ends.

        Raises `PasswordUnfit`, `UserUnknown`, `NotOneself`.
        """
        hashed = await self._passwords.hash(password)

        async def change(tx: Transaction, user: User) -> User:
            await self._store.set_password(tx, user.id, hashed)
            await self._sessions.end_all(tx, user.id)
            return user

        return await self._change(viewer, username, change, by, witness)

    async def reset_second_factor(
        self, viewer: Viewer, username: str, *, by: str | None = None, witness: Witness = nobody
    ) -> User:
        """For somebody who has lost their telephone: at their next sign-in they set one up where they must have one.

        Raises `UserUnknown`, `NotOneself`.
        """

        async def change(tx: Transaction, user: User) -> User:
            await self._factors.remove(tx, user.id)
            await self._sessions.end_all(tx, user.id)
            return replace(user, has_second_factor=False)

        return await self._change(viewer, username, change, by, witness)

    async def change_own_password(self, user: User, password: str, kept: bytes, *, witness: Witness = nobody) -> None:
        """For somebody who has just proved the present one. `kept`: the digest of the session that goes on.

        Raises `PasswordUnfit`.
        """
        hashed = await self._passwords.hash(password)
        async with self._database.transaction() as tx:
            await self._store.set_password(tx, user.id, hashed)
            await self._sessions.end_all_but(tx, user.id, kept)
            await witness(tx, user)

    async def _change(
        self,
        viewer: Viewer,
        username: str,
        change: Callable[[Transaction, User], Awaitable[User]],
        by: str | None,
        witness: Witness,
    ) -> User:
        now_us, name = self._clock.now_us(), folded(username)
        async with self._database.transaction() as tx:
            user = await self._store.find(tx, viewer, name)
            if user is None:
                raise UserUnknown
            if user.id == by:
                raise NotOneself
            if by is not None:
                await self._check_still_administers(tx, by, user.id)
            changed = await change(tx, user)
            await self._changes.record(tx, ChangeKind.USER, user.id, now_us)
            await witness(tx, changed)
        return changed

    async def _check_still_administers(self, tx: Transaction, by: str, user_id: str) -> None:
        """Two administrators who take the role from each other at once would leave nobody: the second is too late."""
        for one in await self._store.locked(tx, [by, user_id]):
            if one.id == by and (one.disabled_at_us is not None or Role.ADMINISTRATOR not in one.roles):
                raise UserUnknown


def checked_roles(roles: Sequence[str]) -> tuple[Role, ...]:
    """At least one, each known, in their order. Raises `RoleUnknown`."""
    if not roles or not set(roles) <= set(Role):
        raise RoleUnknown
    return tuple(role for role in Role if role in roles)
