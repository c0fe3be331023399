"""Disable a webhook automatically: write the audit entry, and notify the tenant's other webhooks. The decision is made
by settling.py (from the results of deliveries) or by governing.py (from the hosts that the app may call).
"""

import structlog

from cloud.access.audit import Audit
from cloud.foundation.db import Transaction
from cloud.foundation.events import Outbox
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Actor
from cloud.partners.webhooks.delivery_store import DeliveryStore
from cloud.partners.webhooks.endpoint_store import Endpoint, EndpointStore
from cloud.partners.webhooks.messages import DISABLED_EVENT
from cloud.partners.webhooks.model import DisabledReason, ErrorCode

log = structlog.get_logger()

SUBJECT = "webhooks"
"""The name of the product itself as an actor in the audit trail."""


class Disabling:
    """Disable endpoints within the caller's transaction."""

    def __init__(self, outbox: Outbox, audit: Audit) -> None:
        self._outbox = outbox
        self._audit = audit
        self._deliveries = DeliveryStore()
        self._endpoints = EndpointStore()

    async def disable(self, tx: Transaction, endpoint: Endpoint, reason: DisabledReason, now_us: int) -> bool:
        """Disable an endpoint and discard its pending deliveries. Return False if it was already
        disabled or deleted."""
        if not await self._endpoints.disable(tx, endpoint.id, reason, now_us):
            return False
        discarded = await self._deliveries.discard_pending(
            tx, endpoint.id, ErrorCode.ENDPOINT_DISABLED, now_us, tests=False
        )
        if not endpoint.is_callback:  # the tenant knows no webhook of that id
            payload = {"webhook_id": endpoint.id, "reason": reason.value, "disabled_at": write_moment(now_us)}
            await self._outbox.emit(tx, DISABLED_EVENT, endpoint, key=endpoint.id, payload=payload, at_us=now_us)
        await self._audit.record(
            tx, product_actor(endpoint), "webhook.disable", endpoint.id, metadata={"reason": reason.value}
        )
        log.warning("webhook.disabled", webhook_id=endpoint.id, reason=reason.value, discarded=discarded)
        return True


def product_actor(endpoint: Endpoint) -> Actor:
    """Return the actor that stands for the product itself, for the audit entry of an automatic change
    of an endpoint."""
    return Actor(endpoint.tenant_id, endpoint.organization_id, subject=SUBJECT, client_id=SUBJECT)
