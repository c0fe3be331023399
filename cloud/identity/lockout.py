"""Guessing is slowed down without locking anybody out (S-031, and the issue's "lock-out without denial of service").

Failures count for a name from one address, and for a name from everywhere. The first only slows down that address; the
second is what many addresses together run into, and it does not touch a browser in which this person has signed in
before: a stranger can make strangers wait, never the person. Names that nobody has are counted alike, so a wait tells
nothing. Rows, not memory: several processes serve the same people.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import delete, select

from cloud.db import Transaction, insert
from cloud.db.chunks import delete_chunk
from cloud.identity.tables import sign_in_failures

SECOND_US = 1_000_000
FREE = 5
"""Mistakes that cost nothing: people mistype."""
FREE_EVERYWHERE = 50
FIRST_WAIT_US = 15 * SECOND_US
LAST_WAIT_US = 900 * SECOND_US
FORGOTTEN_AFTER_US = 3600 * SECOND_US


@dataclass(frozen=True, slots=True)
class Subject:
    """What failures are counted for."""

    digest: bytes
    free: int


def subjects_of(name: str, address: str, browser: str | None) -> tuple[Subject, ...]:
    """For a folded name, the class of an address, and the browser in which this very person signed in before."""
    if browser is not None:
        return (Subject(_digest("browser", name, browser), FREE),)
    return (Subject(_digest("address", name, address), FREE), Subject(_digest("everywhere", name), FREE_EVERYWHERE))


def second_factor_of(user_id: str) -> tuple[Subject, ...]:
    """For the codes of one person, who has proved the password already."""
    return (Subject(_digest("second factor", user_id), FREE),)


def password_again_of(user_id: str) -> tuple[Subject, ...]:
    """For the present password of one person who is signed in already and wants to change it."""
    return (Subject(_digest("password again", user_id), FREE),)


class FailureStore:
    """Every statement about the table."""

    async def wait_us(self, tx: Transaction, subjects: tuple[Subject, ...], now_us: int) -> int:
        """How long an attempt has to wait yet; 0: it may be made."""
        digests = [subject.digest for subject in subjects]
        statement = select(sign_in_failures.c.blocked_until_us).where(sign_in_failures.c.subject.in_(digests))
        return max([0, *(int(row[0]) - now_us for row in await tx.execute(statement))])

    async def failed(self, tx: Transaction, subjects: tuple[Subject, ...], now_us: int) -> None:
        """Counts one more. In the order of the digests, so that two processes cannot wait for each other."""
        for subject in sorted(subjects, key=lambda one: one.digest):
            row = (
                await tx.execute(
                    select(sign_in_failures.c.failures, sign_in_failures.c.forgotten_at_us)
                    .where(sign_in_failures.c.subject == subject.digest)
                    .with_for_update()
                )
            ).first()
            before = 0 if row is None or int(row[1]) <= now_us else int(row[0])
            values = {
                "failures": before + 1,
                "blocked_until_us": now_us + _wait_us(before + 1 - subject.free),
                "forgotten_at_us": now_us + FORGOTTEN_AFTER_US,
            }
            statement = insert(sign_in_failures).values(subject=subject.digest, **values)
            await tx.execute(statement.on_conflict_do_update(index_elements=["subject"], set_=values))

    async def succeeded(self, tx: Transaction, subjects: tuple[Subject, ...]) -> None:
        """Forgets what counted for this one way in; what counts from everywhere stays, as it may be somebody else's."""
        digests = [subject.digest for subject in subjects if subject.free == FREE]
        await tx.execute(delete(sign_in_failures).where(sign_in_failures.c.subject.in_(digests)))

    async def sweep(self, tx: Transaction, now_us: int) -> int:
        """Delete a chunk of the counts that no longer matter; the number of rows."""
        forgotten_us = sign_in_failures.c.forgotten_at_us
        return await delete_chunk(tx, sign_in_failures, forgotten_us <= now_us, oldest=forgotten_us)


def _wait_us(over: int) -> int:
    """After the free mistakes 15 s, doubling, at most 15 minutes."""
    return 0 if over < 0 else int(min(FIRST_WAIT_US * 2 ** min(over, 16), LAST_WAIT_US))


def _digest(kind: str, *parts: str) -> bytes:
    return hashlib.sha256("\0".join(("argus sign-in", kind, *parts)).encode()).digest()
