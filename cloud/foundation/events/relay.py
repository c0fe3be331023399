"""Hand events on to those who want to know: the worker behind the outbox.

A subscriber writes rows (webhook deliveries, jobs) in the transaction that settles the event, so each is told exactly
once, whatever is killed when. An event that a subscriber cannot take is tried again later, further and further apart,
and parked in the end.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, DatabaseUnavailable, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.events.errors import LeaseLost
from cloud.foundation.events.model import ClaimedEvent, DomainEvent
from cloud.foundation.events.store import Outbox
from cloud.foundation.stopping import pause

log = structlog.get_logger()

# Long enough for any subscriber's rows, short enough that a killed worker's events are not missed for long.
LEASE_US = 30_000_000
CLAIM_COUNT = 100
# Claimed events are of different keys, so some go through side by side and share what it costs to make them durable.
# Fewer than a PostgreSQL pool has connections: the others need some too.
TOGETHER = 6
# How often an idle worker looks. The change-to-webhook time has this much of waiting in it at worst.
IDLE_S = 0.5
ATTEMPTS_MAX = 12
RETRY_FIRST_US = 1_000_000
RETRY_LAST_US = 300_000_000


class Subscriber(Protocol):
    """Somebody who wants to know. Writes through `tx` only: what else it did could not be undone with it."""

    async def take(self, tx: Transaction, event: DomainEvent) -> None: ...


def retry_delay_us(attempts: int) -> int:
    """How long to wait after the attempt with this number (from 1): 1 s, doubling, at most 5 min."""
    return int(min(RETRY_FIRST_US * 2 ** (attempts - 1), RETRY_LAST_US))


class Relay:
    """One worker's loop. Several may run, in one process or many."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        subscribers: Sequence[Subscriber],
        clock: Clock,
        after: Callable[[], None] | None = None,
    ) -> None:
        """`after` is called when events were handed on, for a worker that acts on what subscribers wrote."""
        self._database = database
        self._after = after
        self._outbox = outbox
        self._subscribers = subscribers
        self._clock = clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Until asked to stop; then the event in hand is finished."""
        while not stopping.is_set():
            try:
                busy = await self.step()
            except DomainError as error:  # the database is away: wait for it
                log.warning("relay.interrupted", code=error.code)
                busy = 0
            if not busy:
                await pause(stopping, IDLE_S)

    async def step(self) -> int:
        """Hand on what is due now; how many events were claimed."""
        async with self._database.read() as tx:
            due = await self._outbox.any_due(tx, now_us=self._clock.now_us())
        if not due:
            return 0
        async with self._database.transaction() as tx:
            claims = await self._outbox.claim(tx, now_us=self._clock.now_us(), lease_us=LEASE_US, count=CLAIM_COUNT)
        for begin in range(0, len(claims), TOGETHER):
            await self._hand_on_together(claims[begin : begin + TOGETHER])
        if claims and self._after is not None:
            self._after()
        return len(claims)

    async def _hand_on_together(self, claims: Sequence[ClaimedEvent]) -> None:
        """All of them, also when one cannot be: the first trouble is told afterwards."""
        ends = await asyncio.gather(*(self._hand_on(claimed) for claimed in claims), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    async def _hand_on(self, claimed: ClaimedEvent) -> None:
        event = claimed.event
        try:
            async with self._database.transaction() as tx:
                for subscriber in self._subscribers:
                    await subscriber.take(tx, event)
                await self._outbox.done(tx, claimed, now_us=self._clock.now_us())
        except LeaseLost:
            log.warning("event.lease_lost", event_id=event.id, type=event.type)
        except DatabaseUnavailable:
            raise  # no fault of the event: its lease runs out, and somebody takes it up again
        except Exception as error:
            await self._put_back(claimed, type(error).__name__)

    async def _put_back(self, claimed: ClaimedEvent, why: str) -> None:
        event, now_us = claimed.event, self._clock.now_us()
        try:
            async with self._database.transaction() as tx:
                if claimed.attempts >= ATTEMPTS_MAX:
                    log.error("event.parked", event_id=event.id, type=event.type, why=why)
                    await self._outbox.park(tx, claimed, now_us=now_us)
                else:
                    log.warning("event.postponed", event_id=event.id, type=event.type, why=why)
                    await self._outbox.retry(tx, claimed, at_us=now_us + retry_delay_us(claimed.attempts))
        except LeaseLost:
            log.warning("event.lease_lost", event_id=event.id, type=event.type)
