"""Guessing is slowed down without locking anybody out (S-031, and the issue's "lock-out without denial of service").

Failures count for a name from one address, and for a name from everywhere. The first only slows down that address; the
second is what many addresses together run into, and it does not touch a browser in which this person has signed in
before: a stranger can make strangers wait, never the person. Names that nobody has are counted alike, so a wait tells
nothing. Rows, not memory: several processes serve the same people.

An attempt is counted before the password or code is examined, in the transaction that checks whether it may be made and
under the lock of the same rows. Otherwise attempts that arrive together would all pass the check before one is counted.
A success takes its count back.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from cloud.access.identity.tables import sign_in_failures
from cloud.foundation.db import Transaction, delete_chunk, insert

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


@dataclass(frozen=True, slots=True)
class CountedAttempt:
    """An attempt that was counted as a failure until it proves otherwise: its subjects, and the count of each."""

    counts: tuple[tuple[Subject, int], ...]


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

    async def count(self, tx: Transaction, subjects: tuple[Subject, ...], now_us: int) -> CountedAttempt | int:
        """Count an attempt if it may be made; otherwise how long it has to wait, upon which `tx` must end undone.

        The rows are locked in the order of the digests, so that two processes cannot wait for each other.
        """
        counts, wait_us = [], 0
        for subject in sorted(subjects, key=lambda one: one.digest):
            failures, blocked_until_us = await self._lock(tx, subject, now_us)
            wait_us = max(wait_us, blocked_until_us - now_us)
            counts.append((subject, failures + 1))
        if wait_us > 0:
            return wait_us
        for subject, failures in counts:
            await self._set(tx, subject, failures, now_us + _wait_us(failures - subject.free), now_us)
        return CountedAttempt(tuple(counts))

    async def succeeded(self, tx: Transaction, counted: CountedAttempt, now_us: int) -> None:
        """Forget the failures of this one way in. What counts from everywhere may be by others: only this attempt is
        taken back from it."""
        for subject, count in counted.counts:
            if subject.free == FREE:
                await tx.execute(delete(sign_in_failures).where(sign_in_failures.c.subject == subject.digest))
            else:
                await self._take_back(tx, subject, count, now_us)

    async def take_back(self, tx: Transaction, counted: CountedAttempt, now_us: int) -> None:
        """The attempt was not examined after all."""
        for subject, count in counted.counts:
            await self._take_back(tx, subject, count, now_us)

    async def _lock(self, tx: Transaction, subject: Subject, now_us: int) -> tuple[int, int]:
        """The failures and the end of the wait, as they are once every earlier transaction has ended."""
        empty = {"failures": 0, "blocked_until_us": 0, "forgotten_at_us": now_us + FORGOTTEN_AFTER_US}
        rows = sign_in_failures.c
        added = insert(sign_in_failures).values(subject=subject.digest, **empty).on_conflict_do_nothing()
        locked = select(rows.failures, rows.blocked_until_us, rows.forgotten_at_us).where(
            rows.subject == subject.digest
        )
        row = None
        while row is None:  # a row that is absent cannot be locked, and a sweep may delete it in between
            await tx.execute(added)
            row = (await tx.execute(locked.with_for_update())).first()
        return (0, 0) if int(row[2]) <= now_us else (int(row[0]), int(row[1]))

    async def _take_back(self, tx: Transaction, subject: Subject, count: int, now_us: int) -> None:
        failures, blocked_until_us = await self._lock(tx, subject, now_us)
        # A wait that this very attempt began ends with it. One that a later failure began stays.
        until_us = now_us if failures == count else blocked_until_us
        await self._set(tx, subject, max(failures - 1, 0), until_us, now_us)

    async def _set(self, tx: Transaction, subject: Subject, failures: int, blocked_until_us: int, now_us: int) -> None:
        statement = update(sign_in_failures).where(sign_in_failures.c.subject == subject.digest)
        await tx.execute(
            statement.values(
                failures=failures,
                blocked_until_us=blocked_until_us,
                forgotten_at_us=now_us + FORGOTTEN_AFTER_US,
            )
        )

    async def sweep(self, tx: Transaction, now_us: int) -> int:
        """Delete a chunk of the counts that no longer matter; the number of rows."""
        forgotten_us = sign_in_failures.c.forgotten_at_us
        return await delete_chunk(tx, sign_in_failures, forgotten_us <= now_us, oldest=forgotten_us)


def _wait_us(over: int) -> int:
    """After the free mistakes 15 s, doubling, at most 15 minutes."""
    return 0 if over < 0 else int(min(FIRST_WAIT_US * 2 ** min(over, 16), LAST_WAIT_US))


def _digest(kind: str, *parts: str) -> bytes:
    return hashlib.sha256("\0".join(("argus sign-in", kind, *parts)).encode()).digest()
