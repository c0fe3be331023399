"""The product itself disables a webhook, and says so: in the audit trail, and by an event to the tenant's others.

Why it does is decided elsewhere: by how deliveries fare (settling.py), or by what the tenant allows (governing.py).
"""

import structlog

from cloud.access.audit import Audit
from cloud.foundation.db import Transaction
from cloud.foundation.events import Outbox
from cloud.foundation.http import Caller
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import SecrecyLevel, Viewer
from cloud.partners.webhooks.delivery_store import DeliveryStore
from cloud.partners.webhooks.endpoint_store import Endpoint, EndpointStore
from cloud.partners.webhooks.messages import DISABLED_EVENT
from cloud.partners.webhooks.model import DisabledReason, ErrorCode

log = structlog.get_logger()

ACTOR = "webhooks"
"""Who disables an endpoint, in the audit trail: the product itself."""


class Disabling:
    """Stops the sending to an endpoint, within a transaction of the caller's."""

    def __init__(self, outbox: Outbox, audit: Audit) -> None:
        self._outbox = outbox
        self._audit = audit
        self._deliveries = DeliveryStore()
        self._endpoints = EndpointStore()

    async def disable(self, tx: Transaction, endpoint: Endpoint, reason: DisabledReason, now_us: int) -> bool:
        """False when it was disabled or deleted before."""
        if not await self._endpoints.disable(tx, endpoint.id, reason, now_us):
            return False
        waiting = await self._deliveries.discard_waiting(
            tx, endpoint.id, ErrorCode.ENDPOINT_DISABLED, now_us, tests=False
        )
        await self._outbox.emit(
            tx,
            DISABLED_EVENT,
            tenant=endpoint.tenant_id,
            organization=endpoint.organization_id,
            key=endpoint.id,
            payload={"webhook_id": endpoint.id, "reason": reason.value, "disabled_at": write_moment(now_us)},
            at_us=now_us,
        )
        await self._audit.record(
            tx, by_product(endpoint), "webhook.disable", endpoint.id, metadata={"reason": reason.value}
        )
        log.warning("webhook.disabled", webhook_id=endpoint.id, reason=reason.value, discarded=waiting)
        return True


def by_product(endpoint: Endpoint) -> Caller:
    """The product itself as the one who did it."""
    return Caller(
        subject=ACTOR,
        client_id=ACTOR,
        token_use="service",  # noqa: S106  a word, not a secret
        scopes=frozenset(),
        viewer=Viewer(endpoint.tenant_id, endpoint.organization_id, SecrecyLevel.STANDARD),
        jti="",
        expires_at_us=0,
    )
