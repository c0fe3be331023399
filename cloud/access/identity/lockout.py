"""Slow down guesses of passwords and codes without locking a user out (security requirement S-031).

Failures are counted per user name and address class (an IPv4 address or an IPv6 /64 network), and per user name over
all addresses. The second count limits guesses from many addresses. It does not apply to a browser in which the user has
signed in before, so an attacker can delay other browsers but not the user's own. Failures for unknown names are counted
in the same way, so a delay does not disclose which names exist. The counts are in the database, since several processes
serve the same users.

An attempt is counted before its password or code is examined. The same transaction checks whether the attempt is
allowed, and locks the counted rows; otherwise concurrent attempts would all pass the check. A successful attempt is
subtracted again.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from cloud.access.identity.tables import sign_in_failures
from cloud.foundation.db import Transaction, delete_chunk, insert

SECOND_US = 1_000_000
FREE = 5
"""Number of the failure that begins the first delay: users mistype, so earlier ones have none."""
FREE_EVERYWHERE = 50
FIRST_WAIT_US = 15 * SECOND_US
LAST_WAIT_US = 900 * SECOND_US
FORGOTTEN_AFTER_US = 3600 * SECOND_US


@dataclass(frozen=True, slots=True)
class Subject:
    """A counter of failures, for example of one user name at one address. `digest` identifies the counter. `free`: the
    number of failures at which the first delay begins; fewer failures cause no delay."""

    digest: bytes
    free: int


@dataclass(frozen=True, slots=True)
class CountedAttempt:
    """An attempt to sign in that counts as a failure until the attempt succeeds. `counts`: the counters of the attempt
    with their values, which include this attempt."""

    counts: tuple[tuple[Subject, int], ...]


def subjects_of(name: str, address: str, browser: str | None) -> tuple[Subject, ...]:
    """Return the counters of failures for a sign-in. `name`: the folded user name. `address`: the class of the client's
    address (the IPv4 address or IPv6 /64 network). `browser`: the cookie of a browser in which this user has signed in
    before, otherwise None."""
    if browser is not None:
        return (Subject(_digest("browser", name, browser), FREE),)
    return (Subject(_digest("address", name, address), FREE), Subject(_digest("everywhere", name), FREE_EVERYWHERE))


def second_factor_of(user_id: str) -> tuple[Subject, ...]:
    """Return the counter of a user's wrong second-factor codes."""
    return (Subject(_digest("second factor", user_id), FREE),)


def password_again_of(user_id: str) -> tuple[Subject, ...]:
    """Return the counter of wrong entries of the current password by a signed-in user who wants to change it."""
    return (Subject(_digest("password again", user_id), FREE),)


class FailureStore:
    """SQL statements that read and write the counts of failures."""

    async def wait_us(self, tx: Transaction, subjects: tuple[Subject, ...], now_us: int) -> int:
        """Return the time in µs until these counters of failures allow another sign-in attempt; 0 when an attempt is
        allowed now."""
        digests = [subject.digest for subject in subjects]
        statement = select(sign_in_failures.c.blocked_until_us).where(sign_in_failures.c.subject.in_(digests))
        return max([0, *(int(row[0]) - now_us for row in await tx.execute(statement))])

    async def count(self, tx: Transaction, subjects: tuple[Subject, ...], now_us: int) -> CountedAttempt | int:
        """Add an attempt to the counters of failures `subjects` and return the attempt, if the counters allow one now.
        Otherwise return the time in µs until an attempt is allowed; the caller must then roll `tx` back."""
        counts, wait_us = [], 0
        for subject in sorted(subjects, key=lambda one: one.digest):  # one order prevents deadlocks
            failures, blocked_until_us = await self._lock(tx, subject, now_us)
            wait_us = max(wait_us, blocked_until_us - now_us)
            counts.append((subject, failures + 1))
        if wait_us > 0:
            return wait_us
        for subject, failures in counts:
            await self._set(tx, subject, failures, now_us + _wait_us(failures - subject.free), now_us)
        return CountedAttempt(tuple(counts))

    async def succeeded(self, tx: Transaction, counted: CountedAttempt, now_us: int) -> None:
        """Reduce the counters of failures after a sign-in attempt succeeded. A counter for an address, browser or user
        is deleted. From a counter over all addresses, which may include other people's attempts, only this attempt is
        subtracted."""
        for subject, count in counted.counts:
            if subject.free == FREE:
                await tx.execute(delete(sign_in_failures).where(sign_in_failures.c.subject == subject.digest))
            else:
                await self._take_back(tx, subject, count, now_us)

    async def take_back(self, tx: Transaction, counted: CountedAttempt, now_us: int) -> None:
        """Subtract an attempt, whose password or code was not examined, from the attempt's counters of failures."""
        for subject, count in counted.counts:
            await self._take_back(tx, subject, count, now_us)

    async def _lock(self, tx: Transaction, subject: Subject, now_us: int) -> tuple[int, int]:
        """Lock the row of a counter of failures. Return the number of failures and the end of the delay (µs since
        1970), or two zeros if the counter has expired."""
        empty = {"failures": 0, "blocked_until_us": 0, "forgotten_at_us": now_us + FORGOTTEN_AFTER_US}
        rows = sign_in_failures.c
        added = insert(sign_in_failures).values(subject=subject.digest, **empty).on_conflict_do_nothing()
        locked = select(rows.failures, rows.blocked_until_us, rows.forgotten_at_us).where(
            rows.subject == subject.digest
        )
        row = None
        while row is None:  # an absent row cannot be locked, and a sweep may delete it in between
            await tx.execute(added)
            row = (await tx.execute(locked.with_for_update())).first()
        return (0, 0) if int(row[2]) <= now_us else (int(row[0]), int(row[1]))

    async def _take_back(self, tx: Transaction, subject: Subject, count: int, now_us: int) -> None:
        failures, blocked_until_us = await self._lock(tx, subject, now_us)
        # A delay that began with this attempt ends with it. A delay that began with a later failure stays.
        until_us = now_us if failures == count else blocked_until_us
        await self._set(tx, subject, max(failures - 1, 0), until_us, now_us)

    async def _set(self, tx: Transaction, subject: Subject, failures: int, blocked_until_us: int, now_us: int) -> None:
        statement = update(sign_in_failures).where(sign_in_failures.c.subject == subject.digest)
        await tx.execute(
            statement.values(
                failures=failures, blocked_until_us=blocked_until_us, forgotten_at_us=now_us + FORGOTTEN_AFTER_US
            )
        )

    async def sweep(self, tx: Transaction, now_us: int) -> int:
        """Delete a chunk of the expired counters of failed sign-ins; return the number of deleted rows."""
        forgotten_us = sign_in_failures.c.forgotten_at_us
        return await delete_chunk(tx, sign_in_failures, forgotten_us <= now_us, oldest=forgotten_us)


def _wait_us(over: int) -> int:
    """Return the delay in µs before the next attempt: 15 s for `over` 0, doubled for each further failure, at most 15
    minutes. `over` is the number of failures minus the counter's `free`; below 0 there is no delay."""
    return 0 if over < 0 else int(min(FIRST_WAIT_US * 2 ** min(over, 16), LAST_WAIT_US))


def _digest(kind: str, *parts: str) -> bytes:
    return hashlib.sha256("\0".join(("argus sign-in", kind, *parts)).encode()).digest()
