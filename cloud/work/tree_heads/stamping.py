"""Have the time-stamping service stamp the heads that are due, and try again after a failure, within limits."""

import asyncio

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.stopping import pause
from cloud.work.tree_heads.errors import TimeStampRefused
from cloud.work.tree_heads.model import StoredHead
from cloud.work.tree_heads.store import HeadStore
from cloud.work.tree_heads.time_stamps import TimeStampService

LOOK_EVERY_S = 60.0
CLAIMED_MAX = 10
LEASE_US = 300_000_000
"""Time after which the heads of a killed process are due again: more than ten requests of 15 s take."""
RETRY_S_FIRST, RETRY_S_MOST = 60.0, 21_600.0
ATTEMPTS_MAX = 40
"""Attempts for one head: with pauses that double up to six hours, an outage of eight days. `doctor` reports a head that
was given up, and `argus-cloud tree-heads stamp` begins again."""

log = structlog.get_logger()


class Stamping:
    """The loop of the worker that has heads stamped."""

    def __init__(self, database: Database, clock: Clock, service: TimeStampService) -> None:
        self._database = database
        self._clock = clock
        self._service = service
        self._heads = HeadStore()

    async def run(self, stopping: asyncio.Event) -> None:
        """Stamp heads until a stop is requested."""
        try:
            while not stopping.is_set():
                try:
                    while not stopping.is_set() and await self.turn():
                        pass
                except DomainError as error:
                    log.warning("time_stamps.interrupted", code=error.code)
                await pause(stopping, LOOK_EVERY_S)
        finally:
            await self._service.close()

    async def turn(self) -> int:
        """Request a time stamp for some of the heads that are due; return their number. Raises `DomainError` if the
        database is unavailable."""
        async with self._database.transaction() as tx:
            claimed = await self._heads.claim_unstamped(tx, self._clock.now_us(), LEASE_US, CLAIMED_MAX)
        for head in claimed:
            await self._stamp(head)
        return len(claimed)

    async def _stamp(self, head: StoredHead) -> None:
        try:
            found = await self._service.stamp(head.stamped_bytes)
        except TimeStampRefused as error:
            log.warning("time_stamps.refused", attempts=head.stamp_attempts + 1)
            due_us = self._clock.now_us() + retry_pause_us(head.stamp_attempts)
            last = head.stamp_attempts + 1 >= ATTEMPTS_MAX
            async with self._database.transaction() as tx:
                await self._heads.fail(tx, head, error.sentence, None if last else due_us)
        else:
            async with self._database.transaction() as tx:
                await self._heads.stamp(tx, head, found.response, found.at_us)


def retry_pause_us(attempts: int) -> int:
    """Return the pause before the next attempt, after `attempts` failures before this one."""
    return int(min(RETRY_S_MOST, RETRY_S_FIRST * 2.0 ** min(attempts, 20)) * 1_000_000)
