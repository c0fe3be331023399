"""The relay: the worker that delivers domain events from the outbox to their subscribers.

A subscriber writes its rows in the transaction that marks the event as delivered. So each subscriber gets the event
exactly once, even if a process is killed. An event that fails is retried with increasing delays and, after the last
attempt, parked for an operator.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, DatabaseUnavailable, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.events.errors import LeaseLost
from cloud.foundation.events.model import ClaimedEvent, DomainEvent
from cloud.foundation.events.store import Outbox
from cloud.foundation.stopping import pause
from cloud.foundation.trace import begin_trace
from cloud.foundation.tracing import Spans, traced

log = structlog.get_logger()

# Long enough for any subscriber's rows, short enough that the events of a killed worker are not delayed for long.
LEASE_US = 30_000_000
CLAIM_COUNT = 100
# Claimed events have different keys, so several are delivered concurrently and share the cost of durability. Fewer than
# the connections of a PostgreSQL pool, since other work needs some too.
TOGETHER = 6
# Poll interval of an idle worker. It adds at most this much to the time from change to webhook.
IDLE_S = 0.5
ATTEMPTS_MAX = 12
RETRY_FIRST_US = 1_000_000
RETRY_LAST_US = 300_000_000


class Subscriber(Protocol):
    """A receiver of domain events. `take` may write only through `tx`, since other effects could not be rolled back."""

    async def take(self, tx: Transaction, event: DomainEvent) -> None: ...


def retry_delay_us(attempts: int) -> int:
    """Return the delay after the attempt with this number (from 1): 1 s, doubled with each attempt, at most 5 min."""
    return int(min(RETRY_FIRST_US * 2 ** (attempts - 1), RETRY_LAST_US))


class Relay:
    """Delivers domain events to their subscribers. Several relays may run, in one process or in many. `after` is called
    after deliveries, to wake the worker that processes the subscribers' rows. `spans` records a span of each delivery,
    in the trace of the change that the event reports; None: none is recorded."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        subscribers: Sequence[Subscriber],
        clock: Clock,
        after: Callable[[], None] | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._database = database
        self._spans = spans
        self._after = after
        self._outbox = outbox
        self._subscribers = subscribers
        self._clock = clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver events until a stop is requested, then finish the events that are already claimed."""
        while not stopping.is_set():
            try:
                busy = await self.step()
            except DomainError as error:  # the database is not available: retry later
                log.warning("relay.interrupted", code=error.code)
                busy = 0
            if not busy:
                await pause(stopping, IDLE_S)

    async def step(self) -> int:
        """Claim the events that are due, deliver them, and return their number."""
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
        """Deliver events concurrently. If some fail, deliver the others, then raise the first failure."""
        ends = await asyncio.gather(*(self._hand_on(claimed) for claimed in claims), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    async def _hand_on(self, claimed: ClaimedEvent) -> None:
        event = claimed.event
        attributes: dict[str, Any] = {"argus.event.id": event.id, "argus.event.type": event.type}
        with traced(
            self._spans,
            self._clock,
            event.tenant_id,
            "event.deliver",
            "consumer",
            begin_trace(event.traceparent),
            attributes,
        ):
            await self._deliver(claimed, attributes)

    async def _deliver(self, claimed: ClaimedEvent, attributes: dict[str, Any]) -> None:
        event = claimed.event
        try:
            async with self._database.transaction() as tx:
                for subscriber in self._subscribers:
                    await subscriber.take(tx, event)
                await self._outbox.done(tx, claimed, now_us=self._clock.now_us())
        except LeaseLost:
            log.warning("event.lease_lost", event_id=event.id, type=event.type)
        except DatabaseUnavailable:
            raise  # not a fault of the event: its lease expires, and a worker claims it again
        except Exception as error:
            attributes["error.type"] = type(error).__name__
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
