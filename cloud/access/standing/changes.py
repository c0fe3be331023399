"""The log of changes (to revocations, apps, users and signing keys) that can end a token before it expires.

The code that makes such a change records it here in the same transaction. Processes that verify tokens read the new
entries every few seconds and drop only the affected cache entries, so that a token check needs no database. An entry
names the changed object, without the new state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import bindparam, delete, select

from cloud.access.standing.tables import auth_changes, auth_versions
from cloud.foundation.db import Prepared, Transaction, insert

KEPT = 10_000
"""Number of stored changes. A reader that is further behind reads everything again, which costs a few queries."""

READ_MAX = 1_000
"""Changes in one read. Beyond this it costs less to read everything again."""


class ChangeKind(StrEnum):
    """The kind of object that a change concerns."""

    TOKEN = "token"  # noqa: S105  # a word, not a secret
    APP = "app"
    USER = "user"
    KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of the change log. `subject` is a jti, a client id or a user id; "" for a change of signing keys."""

    version: int
    kind: ChangeKind
    subject: str


_COUNT = insert(auth_versions).values(id=1, version=1)
_COUNT_ON = _COUNT.on_conflict_do_update(
    index_elements=[auth_versions.c.id], set_={"version": auth_versions.c.version + 1}
).returning(auth_versions.c.version)
_SINCE = Prepared(
    select(auth_changes.c.version, auth_changes.c.kind, auth_changes.c.subject)
    .where(auth_changes.c.version > bindparam("version"))
    .order_by(auth_changes.c.version)
    .limit(READ_MAX + 1)
)
_LATEST = Prepared(select(auth_versions.c.version))


class ChangeLog:
    """SQL statements that read and write the change log and its version counter."""

    async def record(self, tx: Transaction, kind: ChangeKind, subject: str, at_us: int) -> int:
        """Record a change and return its version. Other transactions see the change after the commit of `tx`."""
        version = int((await tx.execute(_COUNT_ON)).scalar())
        await tx.execute(insert(auth_changes).values(version=version, kind=kind.value, subject=subject, at_us=at_us))
        await tx.execute(delete(auth_changes).where(auth_changes.c.version <= version - KEPT))
        return version

    async def latest(self, tx: Transaction) -> int:
        """Return the version of the latest change; 0 before the first change."""
        rows = await tx.driver.rows(_LATEST, {})
        return int(rows[0][0]) if rows else 0

    async def since(self, tx: Transaction, version: int) -> Sequence[Change] | None:
        """Return the changes after `version`, oldest first. Return None if entries are missing or too many: the reader
        must then read all state again."""
        rows = await tx.driver.rows(_SINCE, {"version": version})
        if len(rows) > READ_MAX or (rows and int(rows[0][0]) != version + 1):
            return None
        if not rows and await self.latest(tx) != version:
            return None  # the database was replaced by another one, such as a restored backup
        return [Change(int(at), ChangeKind(kind), str(subject)) for at, kind, subject in rows]
