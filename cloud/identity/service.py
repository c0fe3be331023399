"""Add users, check their passwords, disable them. Sign-in pages and sessions come with the auth host's own issue."""

import re
from collections.abc import Sequence
from dataclasses import replace

from cloud.clock import Clock
from cloud.db import Database
from cloud.identity.errors import RoleUnknown, UsernameMalformed, UserUnknown
from cloud.identity.model import Role, User
from cloud.identity.passwords import Passwords
from cloud.identity.store import UserStore
from cloud.ids import Ids
from cloud.standing import ChangeKind, ChangeLog
from cloud.tenancy import IdentifierTaken, OrganizationUnknown, SecrecyLevel, TenancyStore, TenantUnknown, Viewer

_USERNAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,254}")


class Users:
    """The use cases."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, passwords: Passwords) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._passwords = passwords
        self._store = UserStore()
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
    ) -> User:
        """Raises `IdentifierTaken`, `PasswordUnfit`, `RoleUnknown`, `UsernameMalformed` and the unknown kinds."""
        if not roles or not set(roles) <= set(Role):
            raise RoleUnknown
        user = User(
            id=self._ids.new("usr"),
            tenant_id=viewer.tenant_id,
            organization_id=organization_id,
            username=folded(username),
            roles=tuple(role for role in Role if role in roles),
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
        return user

    async def list(self, viewer: Viewer) -> Sequence[User]:
        async with self._database.read() as tx:
            return await self._store.list(tx, viewer)

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

    async def set_disabled(self, viewer: Viewer, username: str, disabled: bool) -> User:
        """Disable: no sign-in, and their tokens end everywhere; or enable again. Raises `UserUnknown`."""
        now_us = self._clock.now_us()
        name = folded(username)
        async with self._database.transaction() as tx:
            user = await self._store.find(tx, viewer, name)
            if user is None:
                raise UserUnknown
            at_us = now_us if disabled else None
            await self._store.set_disabled(tx, viewer, user.id, at_us)
            await self._changes.record(tx, ChangeKind.USER, user.id, now_us)
        return replace(user, disabled_at_us=at_us)


def folded(username: str) -> str:
    """The name as it is stored and compared. Raises `UsernameMalformed`."""
    if _USERNAME.fullmatch(username) is None:
        raise UsernameMalformed
    return username.casefold()
