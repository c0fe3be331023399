"""Write what attempts came to: the attempt, what becomes of its delivery, how its endpoint fares, and who is told.

All of one batch in one transaction, subscriptions in the order of their ids: a subscription's row before its
deliveries, as everybody else who locks both does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import structlog

from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.events import Outbox
from cloud.partners.webhooks.attempt import Outcome
from cloud.partners.webhooks.disabling import Disabling
from cloud.partners.webhooks.endpoint_store import Endpoint, EndpointStore
from cloud.partners.webhooks.lease_store import Claimed, LeaseStore, Settled
from cloud.partners.webhooks.model import DeliveryKind, DeliveryStatus, DisabledReason, ErrorCode
from cloud.partners.webhooks.schedule import FAILING_US_MAX, next_attempt_us

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Result:
    """What there is to write of a claimed delivery: an outcome, or why it is discarded unsent."""

    claimed: Claimed
    endpoint: Endpoint
    outcome: Outcome | ErrorCode

    @property
    def counts(self) -> bool:
        """A test moves no failure clock (A-061), and what was not sent or failed through a fault of ours moves none
        either."""
        if not isinstance(self.outcome, Outcome) or self.claimed.kind is DeliveryKind.TEST:
            return False
        return self.outcome.attempt.error_code is not ErrorCode.INTERNAL_ERROR


class Settling:
    """Settles batches. `chance` gives uniform numbers in [0, 1) for the jitter."""

    def __init__(self, clock: Clock, outbox: Outbox, audit: Audit, chance: Callable[[], float]) -> None:
        self._clock = clock
        self._disabling = Disabling(outbox, audit)
        self._chance = chance
        self._leases = LeaseStore()
        self._endpoints = EndpointStore()

    async def settle(self, tx: Transaction, results: Sequence[Result]) -> None:
        """Write a batch; what another worker has taken over meanwhile is left to it."""
        now_us = self._clock.now_us()
        pending: list[Settled] = []
        ordered = sorted(results, key=lambda result: (result.claimed.webhook_id, result.claimed.position))
        for _, group in groupby(ordered, key=lambda result: result.claimed.webhook_id):
            of_endpoint = list(group)
            disabled, reason = await self._judge(tx, of_endpoint, now_us)
            pending += [self._settled(result, now_us, disabled=disabled) for result in of_endpoint]
            if reason is not None:  # before later subscriptions: disabling locks what waits of this one
                await self._leases.settle(tx, pending, now_us)
                pending = []
                await self._disabling.disable(tx, of_endpoint[0].endpoint, reason, now_us)
        await self._leases.settle(tx, pending, now_us)

    async def _judge(
        self, tx: Transaction, results: Sequence[Result], now_us: int
    ) -> tuple[bool, DisabledReason | None]:
        """How an endpoint fares after these: whether it is disabled, and why, when it is to be just now."""
        outcomes = [result.outcome for result in results if result.counts and isinstance(result.outcome, Outcome)]
        failed = [outcome for outcome in outcomes if not outcome.succeeded]
        endpoint_id = results[0].endpoint.id
        if len(failed) < len(outcomes) and (
            failed or any(one.endpoint.failing_since_us is not None for one in results)
        ):
            await self._endpoints.succeeded(tx, endpoint_id)
        if not failed:
            return False, None
        since_us = await self._endpoints.failed(tx, endpoint_id, now_us)
        if since_us is None:  # somebody did so before
            return True, None
        if any(outcome.gone for outcome in failed):
            return True, DisabledReason.GONE
        if now_us - since_us >= FAILING_US_MAX:
            return True, DisabledReason.FAILING
        return False, None

    def _settled(self, result: Result, now_us: int, *, disabled: bool) -> Settled:
        claimed, outcome = result.claimed, result.outcome
        if isinstance(outcome, ErrorCode):
            return Settled(claimed, DeliveryStatus.DISCARDED, discarded=outcome)
        status, next_at_us = self._course(claimed, outcome, now_us, disabled=disabled)
        if status is DeliveryStatus.EXHAUSTED:
            log.warning("delivery.exhausted", delivery_id=claimed.id, webhook_id=claimed.webhook_id)
        return Settled(claimed, status, next_at_us, outcome.attempt)

    def _course(
        self, claimed: Claimed, outcome: Outcome, now_us: int, *, disabled: bool
    ) -> tuple[DeliveryStatus, int | None]:
        """What becomes of it, and when it is tried again."""
        if outcome.succeeded:
            return DeliveryStatus.SUCCEEDED, None
        # A test says how things are now; an answer in three days would be none.
        if outcome.gone or claimed.kind is DeliveryKind.TEST:
            return DeliveryStatus.EXHAUSTED, None
        if disabled:
            return DeliveryStatus.DISCARDED, None
        next_at_us = next_attempt_us(outcome.attempt.number, now_us, outcome.retry_after_us, self._chance())
        return (DeliveryStatus.EXHAUSTED if next_at_us is None else DeliveryStatus.FAILED), next_at_us
