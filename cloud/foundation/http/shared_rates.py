"""Limits that several processes keep together: each counts in memory, and settles with the others behind the requests.

A draw costs no more than in one process: it is counted here, and once a share of the quota was let through, a task
tells the database, which takes it from one level for all and says what is left. So a request never waits for another
process, and the price is that processes together may let through more than the quota before they know of each other:
a sixteenth of the quota each that is not told yet, and what is drawn within one settlement (a tenth of a second apart
at the least, a second at the most). What was too much is a debt: the level goes below zero, and everybody waits until
it has refilled, so that over a longer time the quota holds exactly. A bucket that is hardly used never reaches the
database. While the database is away, each process counts for itself.

SQLite has one process that serves, and keeps to `BucketLimiter`.
"""

import asyncio
from collections.abc import Hashable
from contextlib import suppress

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.http.rate_store import Portion, RateStore, digest_of
from cloud.foundation.http.rates import BUCKETS_MAX, BucketLimiter, Draw, Place, Policy

SETTLE_S = 1.0
SETTLE_S_LEAST = 0.1
PORTIONS_MAX = 500
"""Buckets of one settlement; what is left over comes with the next one."""
TOLD_FROM = 16
"""The sixteenth part of a quota is told with the next settlement…"""
TOLD_SOON_FROM = 4
"""…and the fourth part as soon as may be."""

log = structlog.get_logger()


class SharedLimiter(BucketLimiter):
    """One for each process. `run` must be running, or it is a `BucketLimiter`."""

    def __init__(self, clock: Clock, database: Database, *, buckets_max: int = BUCKETS_MAX) -> None:
        super().__init__(clock, buckets_max=buckets_max)
        self._database = database
        self._store = RateStore()
        self._untold: dict[Place, int] = {}
        """What was let through since the last settlement of that bucket."""
        self._due: dict[Place, Policy] = {}
        self._soon = False
        self._away = False

    def draw(self, policy: Policy, key: Hashable) -> Draw:
        found = super().draw(policy, key)
        if found.allowed:
            place = policy.name, key
            # Out of a full bucket: whatever was let through before has refilled.
            drawn = 1 if found.remaining >= policy.quota - 1 else self._untold.get(place, 0) + 1
            self._untold[place] = drawn
            if drawn * TOLD_FROM >= policy.quota:
                self._due[place] = policy
                if drawn * TOLD_SOON_FROM >= policy.quota:
                    self._soon = True
            if len(self._untold) > self._buckets_max:
                self._untold.clear()
                self._due.clear()
        return found

    async def run(self, stopping: asyncio.Event) -> None:
        """Settle until it is asked to stop, and once more then."""
        quiet_s = 0.0
        while not stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_S_LEAST):
                    await stopping.wait()
            quiet_s += SETTLE_S_LEAST
            if self._soon or quiet_s >= SETTLE_S or stopping.is_set():
                await self.settle()
                quiet_s = 0.0

    async def settle(self) -> None:
        """Tell what was let through, learn what is left. Without the database everything is kept for the next time."""
        self._soon = False
        due = dict(list(self._due.items())[:PORTIONS_MAX])
        if not due:
            return
        drawn = {place: self._untold.get(place, 0) for place in due}
        portions = {
            place: Portion(digest_of(*place), float(policy.quota), policy.window_s * 1_000_000, float(drawn[place]))
            for place, policy in due.items()
        }
        try:
            async with self._database.transaction() as tx:
                left = await self._store.settle(tx, list(portions.values()), self._clock.now_us())
        except DomainError as error:
            if not self._away:
                log.warning("rates.not_settled", code=error.code, buckets=len(due))
            self._away = True
            return
        self._away = False
        now_s = self._clock.monotonic_s()
        for place, portion in portions.items():
            policy = self._due.pop(place, due[place])
            untold = self._untold.pop(place, 0)
            if place not in self._buckets:
                continue  # forgotten meanwhile, for want of room
            # It was full in between and began to count anew, or what was told is a part of what was let through.
            meanwhile = untold if untold < drawn[place] else untold - drawn[place]
            self._buckets[place] = (left[portion.digest] - meanwhile, now_s)
            self._untold[place] = meanwhile
            if meanwhile * TOLD_FROM >= policy.quota:
                self._due[place] = policy  # behind those that have waited
