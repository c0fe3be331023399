"""SQL statements on users. `standing` and `by_username` run before authentication, so they take no `Viewer`."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select, update

from cloud.access.identity.model import Role, User
from cloud.access.identity.tables import users
from cloud.foundation.db import Prepared, Records, Transaction, insert
from cloud.foundation.viewer import Viewer, visible

_USERS = Records(
    User,
    users,
    codecs={"roles": (" ".join, lambda names: tuple(map(Role, names.split())))},
    renamed={"clearance": "secrecy_level"},
)
USER_COLUMNS = (*_USERS.columns, users.c.totp_secret_sealed.is_not(None).label("has_second_factor"))
"""The columns that `user_of` reads, in this order."""

_FIND = Prepared(select(*USER_COLUMNS).where(users.c.id == bindparam("user")))


class UserStore:
    """SQL statements on users."""

    async def standing(self, tx: Transaction, user_id: str) -> User | None:
        """Return the user with this id, enabled or disabled, or None if there is no such user. The id comes from a
        token or an authorization code."""
        rows = await tx.driver.rows(_FIND, {"user": user_id})
        return user_of(rows[0]) if rows else None

    async def by_username(self, tx: Transaction, username: str) -> tuple[User, str] | None:
        """Return the user with this name and the hash of the user's password, or None if the name is unknown."""
        statement = select(*USER_COLUMNS, users.c.password_hash).where(users.c.username == username)
        row = (await tx.execute(statement)).first()
        return None if row is None else (user_of(row[:-1]), str(row[-1]))

    async def find(self, tx: Transaction, viewer: Viewer, username: str) -> User | None:
        statement = select(*USER_COLUMNS).where(*visible(users, viewer), users.c.username == username)
        row = (await tx.execute(statement)).first()
        return None if row is None else user_of(row)

    async def by_id(self, tx: Transaction, viewer: Viewer, user_id: str) -> User | None:
        statement = select(*USER_COLUMNS).where(*visible(users, viewer), users.c.id == user_id)
        row = (await tx.execute(statement)).first()
        return None if row is None else user_of(row)

    async def list(
        self,
        tx: Transaction,
        viewer: Viewer,
        *,
        after: str | None = None,
        count: int | None = None,
        named: str | None = None,
    ) -> Sequence[User]:
        """Return the users that the viewer may see, in the order of their ids. `after`: only users with a greater id.
        `count`: at most this number. `named`: a part of the user name."""
        statement = select(*USER_COLUMNS).where(*visible(users, viewer), users.c.id > (after or ""))
        if named is not None:
            statement = statement.where(users.c.username.contains(named.casefold(), autoescape=True))
        return [user_of(row) for row in await tx.execute(statement.order_by(users.c.id).limit(count))]

    async def names(self, tx: Transaction, viewer: Viewer, user_ids: Sequence[str]) -> dict[str, str]:
        """Return a dict that maps these user ids to user names. Users that the viewer may not see are left out."""
        statement = select(users.c.id, users.c.username).where(*visible(users, viewer), users.c.id.in_(user_ids))
        return {str(row[0]): str(row[1]) for row in await tx.execute(statement)}

    async def locked(self, tx: Transaction, user_ids: Sequence[str]) -> Sequence[User]:
        """Lock these users in the order of their ids, which prevents deadlocks, and return them."""
        statement = select(*USER_COLUMNS).where(users.c.id.in_(user_ids)).order_by(users.c.id).with_for_update()
        return [user_of(row) for row in await tx.execute(statement)]

    async def add(self, tx: Transaction, user: User, password_hash: str) -> bool:
        """Add a user. Return False when a user of any tenant has this user name."""
        statement = insert(users).values(password_hash=password_hash, **_USERS.values(user))
        return (await tx.execute(statement.on_conflict_do_nothing().returning(users.c.id))).first() is not None

    async def set_disabled(self, tx: Transaction, viewer: Viewer, user_id: str, at_us: int | None) -> None:
        statement = update(users).where(*visible(users, viewer), users.c.id == user_id)
        await tx.execute(statement.values(disabled_at_us=at_us))

    async def set_roles(self, tx: Transaction, viewer: Viewer, user_id: str, roles: Sequence[Role]) -> None:
        statement = update(users).where(*visible(users, viewer), users.c.id == user_id)
        await tx.execute(statement.values(roles=" ".join(roles)))

    async def set_password(self, tx: Transaction, user_id: str, password_hash: str) -> None:
        await tx.execute(update(users).where(users.c.id == user_id).values(password_hash=password_hash))


def user_of(row: Sequence[Any]) -> User:
    """Build a user from a row with the columns `USER_COLUMNS`."""
    *columns, has_second_factor = row
    return _USERS.read(columns, has_second_factor=bool(has_second_factor))
