"""Write the results of deliveries: attempts, planned retries, the health of the endpoint; disable a failing endpoint.
Each batch of results is one transaction. To prevent deadlocks, every transaction locks subscriptions in the order of
their ids, and each subscription before its deliveries.
"""

from collections.abc import Callable, Sequence
from itertools import groupby

import structlog

from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.events import Outbox
from cloud.partners.webhooks.delivery import LeasedDelivery
from cloud.partners.webhooks.disabling import Disabling
from cloud.partners.webhooks.endpoint_store import EndpointStore
from cloud.partners.webhooks.lease_store import LeaseStore
from cloud.partners.webhooks.model import DeliveryKind, DeliveryStatus, DisabledReason
from cloud.partners.webhooks.schedule import FAILING_US_MAX, next_attempt_us

log = structlog.get_logger()


class Settling:
    """Settle batches of ended deliveries: store their results. `chance` returns uniform numbers in [0, 1) for the
    jitter of retries."""

    def __init__(self, clock: Clock, outbox: Outbox, audit: Audit, chance: Callable[[], float]) -> None:
        self._clock = clock
        self._disabling = Disabling(outbox, audit)
        self._chance = chance
        self._leases = LeaseStore()
        self._endpoints = EndpointStore()

    async def settle(self, tx: Transaction, deliveries: Sequence[LeasedDelivery]) -> None:
        """Write the results of a batch of deliveries. A delivery whose lease this worker has lost is skipped."""
        now_us = self._clock.now_us()
        decided: list[LeasedDelivery] = []
        ordered = sorted(deliveries, key=lambda one: (one.webhook_id, one.position))
        for _, group in groupby(ordered, key=lambda one: one.webhook_id):
            of_endpoint = list(group)
            disabled, reason = await self._update_health(tx, of_endpoint, now_us)
            for delivery in of_endpoint:
                self._decide(delivery, now_us, disabled=disabled)
            decided += of_endpoint
            if reason is not None:  # before later subscriptions: disabling locks the pending deliveries of this one
                await self._leases.settle(tx, decided, now_us)
                decided = []
                await self._disabling.disable(tx, of_endpoint[0].endpoint, reason, now_us)
        await self._leases.settle(tx, decided, now_us)

    async def _update_health(
        self, tx: Transaction, deliveries: Sequence[LeasedDelivery], now_us: int
    ) -> tuple[bool, DisabledReason | None]:
        """Record the successes and failures of one endpoint. Return whether the endpoint gets no more deliveries
        (disabled, deleted or to be disabled), and the reason to disable it now, or None."""
        counted = [delivery for delivery in deliveries if delivery.counts]
        failed = [delivery for delivery in counted if not delivery.succeeded]
        webhook_id = deliveries[0].webhook_id
        if len(failed) < len(counted) and (
            failed or any(one.endpoint.failing_since_us is not None for one in deliveries)
        ):
            await self._endpoints.record_success(tx, webhook_id)
        if not failed:
            return False, None
        since_us = await self._endpoints.record_failure(tx, webhook_id, now_us)
        if since_us is None:  # it is disabled or deleted already
            return True, None
        if any(delivery.is_endpoint_removed for delivery in failed):
            return True, DisabledReason.GONE
        if now_us - since_us >= FAILING_US_MAX:
            return True, DisabledReason.FAILING
        return False, None

    def _decide(self, delivery: LeasedDelivery, now_us: int, *, disabled: bool) -> None:
        """Decide a delivery's status and next attempt. `disabled`: the endpoint gets no more attempts."""
        attempt = delivery.attempt
        if attempt is None:
            delivery.decide(DeliveryStatus.DISCARDED)
        elif delivery.succeeded:
            delivery.decide(DeliveryStatus.SUCCEEDED)
        # A test reports the present state; a result three days later would have no use.
        elif delivery.is_endpoint_removed or delivery.kind is DeliveryKind.TEST:
            self._exhaust(delivery)
        elif disabled:
            delivery.decide(DeliveryStatus.DISCARDED)
        else:
            next_at_us = next_attempt_us(attempt.number, now_us, delivery.retry_after_us, self._chance())
            if next_at_us is None:
                self._exhaust(delivery)
            else:
                delivery.decide(DeliveryStatus.FAILED, next_at_us)

    @staticmethod
    def _exhaust(delivery: LeasedDelivery) -> None:
        delivery.decide(DeliveryStatus.EXHAUSTED)
        log.warning("delivery.exhausted", delivery_id=delivery.id, webhook_id=delivery.webhook_id)
