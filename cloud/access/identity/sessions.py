"""Sessions of users on the auth host: a cookie of 256 random bits, whose digest the database stores.

A session ends twelve hours after the password was entered, after an hour without use, or when the user signs out, is
disabled or changes a credential. `seen_at_us`, the time of last use, is written at most every five minutes.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update

from cloud.access.identity.model import User
from cloud.access.identity.store import USER_COLUMNS, user_of
from cloud.access.identity.tables import known_browsers, sign_in_sessions, users
from cloud.foundation.db import Transaction, delete_chunk, insert

SECOND_US = 1_000_000
SESSION_US = 12 * 3600 * SECOND_US
IDLE_US = 3600 * SECOND_US
SEEN_EVERY_US = 300 * SECOND_US
BROWSER_S = 180 * 86_400
"""Time for which a browser stays known after the last sign-in in it."""
BROWSERS_MAX = 20
"""The most known browsers of one user. Beyond this, the browsers with the earliest sign-ins are deleted."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session of a user whose password is verified. `second_factor_at_us` None: no second factor was verified."""

    user: User
    digest: bytes
    authenticated_at_us: int
    second_factor_at_us: int | None


def new_secret() -> str:
    """Generate the value of a session or browser cookie."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(b"argus session\0" + secret.encode()).digest()


class SessionStore:
    """SQL statements that read and write sessions and known browsers."""

    async def find(self, tx: Transaction, secret: str, now_us: int) -> tuple[Session, int] | None:
        """Return the session with this cookie value and the time of its last use (µs). None when the session has ended
        or its user is disabled."""
        statement = (
            select(
                sign_in_sessions.c.authenticated_at_us,
                sign_in_sessions.c.second_factor_at_us,
                sign_in_sessions.c.seen_at_us,
                *USER_COLUMNS,
            )
            .join(users, users.c.id == sign_in_sessions.c.user_id)
            .where(
                sign_in_sessions.c.digest == digest_of(secret),
                sign_in_sessions.c.expires_at_us > now_us,
                sign_in_sessions.c.seen_at_us > now_us - IDLE_US,
                users.c.disabled_at_us.is_(None),
            )
        )
        row: Any = (await tx.execute(statement)).first()
        if row is None:
            return None
        authenticated_us, second_us, seen_us, *columns = row
        return Session(user_of(columns), digest_of(secret), authenticated_us, second_us), int(seen_us)

    async def begin(self, tx: Transaction, secret: str, user_id: str, now_us: int) -> None:
        await tx.execute(
            insert(sign_in_sessions).values(
                digest=digest_of(secret),
                user_id=user_id,
                authenticated_at_us=now_us,
                seen_at_us=now_us,
                expires_at_us=now_us + SESSION_US,
            )
        )

    async def seen(self, tx: Transaction, digest: bytes, now_us: int) -> None:
        ours = sign_in_sessions.c.digest == digest
        await tx.execute(update(sign_in_sessions).where(ours).values(seen_at_us=now_us))

    async def proved(self, tx: Transaction, digest: bytes, fresh: bytes, now_us: int) -> bool:
        """Record in the session that the second factor was verified, and replace the cookie's `digest` with `fresh`,
        the digest of a new cookie. Return False when the session has ended."""
        ours = sign_in_sessions.c.digest == digest
        changed = update(sign_in_sessions).where(ours).values(digest=fresh, second_factor_at_us=now_us)
        return (await tx.execute(changed)).rowcount == 1

    async def end(self, tx: Transaction, secret: str) -> None:
        await tx.execute(delete(sign_in_sessions).where(sign_in_sessions.c.digest == digest_of(secret)))

    async def end_all(self, tx: Transaction, user_id: str) -> None:
        """End every session of a user. The user's known browsers stay known."""
        await tx.execute(delete(sign_in_sessions).where(sign_in_sessions.c.user_id == user_id))

    async def end_all_but(self, tx: Transaction, user_id: str, kept: bytes) -> None:
        """End the sessions of a user who has changed a credential, except the session with the digest `kept`."""
        theirs = sign_in_sessions.c.user_id == user_id
        await tx.execute(delete(sign_in_sessions).where(theirs, sign_in_sessions.c.digest != kept))

    async def knows(self, tx: Transaction, browser: str, username: str, now_us: int) -> bool:
        """Return whether the user of this name has signed in before in the browser with this cookie."""
        statement = (
            select(known_browsers.c.digest)
            .join(users, users.c.id == known_browsers.c.user_id)
            .where(
                known_browsers.c.digest == digest_of(browser),
                users.c.username == username,
                known_browsers.c.seen_at_us > now_us - BROWSER_S * SECOND_US,
            )
        )
        return (await tx.execute(statement)).first() is not None

    async def know(self, tx: Transaction, browser: str, user_id: str, now_us: int) -> None:
        """Store a browser as known for a user. `browser`: the value of the new browser cookie."""
        await tx.execute(insert(known_browsers).values(digest=digest_of(browser), user_id=user_id, seen_at_us=now_us))
        newest = (
            select(known_browsers.c.digest)
            .where(known_browsers.c.user_id == user_id)
            .order_by(known_browsers.c.seen_at_us.desc(), known_browsers.c.digest)
            .limit(BROWSERS_MAX)
        )
        kept = [row[0] for row in await tx.execute(newest)]
        theirs = known_browsers.c.user_id == user_id
        await tx.execute(delete(known_browsers).where(theirs, known_browsers.c.digest.not_in(kept)))

    async def sweep(self, tx: Transaction, now_us: int) -> int:
        """Delete a chunk of the expired sessions, and of the known browsers without a sign-in for `BROWSER_S`. Return
        the number of deleted rows."""
        expires_us, seen_us = sign_in_sessions.c.expires_at_us, known_browsers.c.seen_at_us
        unused = seen_us <= now_us - BROWSER_S * SECOND_US
        expired = await delete_chunk(tx, sign_in_sessions, expires_us <= now_us, oldest=expires_us)
        return expired + await delete_chunk(tx, known_browsers, unused, oldest=seen_us)
