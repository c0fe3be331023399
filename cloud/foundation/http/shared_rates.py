"""Rate limits that several processes share: each counts in memory, and reconciles with the others in the background.

When a process has admitted a sixteenth of a quota, a background task reports this number to the database, which
subtracts it from the common level (number of requests left) and returns the new level. So no request waits for another
process.

The processes may admit more than the quota: up to a sixteenth for each process, and the requests during one
reconciliation (0.1 s to 1 s). The excess makes the level negative, so over a longer time the quota holds exactly. While
the database is unavailable, each process counts for itself. With SQLite one process serves all requests, and uses
`BucketLimiter`.
"""

import asyncio
from collections.abc import Hashable
from contextlib import suppress

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.http.rate_store import RateStore, Usage, digest_of
from cloud.foundation.http.rates import BUCKETS_MAX, BucketKey, BucketLimiter, Draw, Policy

SETTLE_S = 1.0
SETTLE_S_LEAST = 0.1
BUCKETS_SETTLED_MAX = 500
"""Buckets of one reconciliation; the others follow with the next one."""
REPORTED_FRACTION = 16
"""A sixteenth of a quota is reported with the next reconciliation."""
URGENT_FRACTION = 4
"""A fourth of a quota is reported as soon as possible."""

log = structlog.get_logger()


class SharedLimiter(BucketLimiter):
    """The rate limiter of one of several processes. While `run` is not running, the limiter counts for this process
    alone."""

    def __init__(self, clock: Clock, database: Database, *, buckets_max: int = BUCKETS_MAX) -> None:
        super().__init__(clock, buckets_max=buckets_max)
        self._database = database
        self._store = RateStore()
        self._unreported: dict[BucketKey, int] = {}
        """Requests that were admitted since the last reconciliation of that bucket."""
        self._due: dict[BucketKey, Policy] = {}
        self._soon = False
        self._away = False

    def draw(self, policy: Policy, key: Hashable) -> Draw:
        found = super().draw(policy, key)
        if found.allowed:
            bucket = policy.name, key
            # If the bucket was full, it has refilled since the earlier requests.
            drawn = 1 if found.remaining >= policy.quota - 1 else self._unreported.get(bucket, 0) + 1
            self._unreported[bucket] = drawn
            if drawn * REPORTED_FRACTION >= policy.quota:
                self._due[bucket] = policy
                if drawn * URGENT_FRACTION >= policy.quota:
                    self._soon = True
            if len(self._unreported) > self._buckets_max:
                self._unreported.clear()
                self._due.clear()
        return found

    async def run(self, stopping: asyncio.Event) -> None:
        """Reconcile with the database until a stop is requested, then reconcile a last time."""
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
        """Report to the database how many requests this process has admitted, and take over the new levels (numbers of
        requests left). If the database is unavailable, keep the counts for the next report."""
        self._soon = False
        due = dict(list(self._due.items())[:BUCKETS_SETTLED_MAX])
        if not due:
            return
        drawn = {bucket: self._unreported.get(bucket, 0) for bucket in due}
        usages = {
            bucket: Usage(digest_of(*bucket), float(policy.quota), policy.window_s * 1_000_000, float(drawn[bucket]))
            for bucket, policy in due.items()
        }
        try:
            async with self._database.transaction() as tx:
                left = await self._store.settle(tx, list(usages.values()), self._clock.now_us())
        except DomainError as error:
            if not self._away:
                log.warning("rates.not_settled", code=error.code, buckets=len(due))
            self._away = True
            return
        self._away = False
        now_s = self._clock.monotonic_s()
        for bucket, usage in usages.items():
            policy = self._due.pop(bucket, due[bucket])
            unreported = self._unreported.pop(bucket, 0)
            if bucket not in self._buckets:
                continue  # the bucket was dropped since, for lack of room
            # The unreported requests include the reported ones, unless the bucket has been full since and was counted
            # from zero.
            meanwhile = unreported if unreported < drawn[bucket] else unreported - drawn[bucket]
            self._buckets[bucket] = (left[usage.digest] - meanwhile, now_s)
            self._unreported[bucket] = meanwhile
            if meanwhile * REPORTED_FRACTION >= policy.quota:
                self._due[bucket] = policy  # after the buckets that are already due
