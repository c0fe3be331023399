"""What becomes of webhooks when their app changes: those whose host is not allowed any more are disabled, those of a
deleted app end with it.

A look every few seconds rather than a call from wherever an app is changed: so it holds whoever changes it and however,
and apps need to know nothing of webhooks.
"""

from collections.abc import Sequence

import orjson
from sqlalchemy import select
from yarl import URL

from cloud.access.apps import Governance, apps
from cloud.access.audit import Audit
from cloud.foundation.db import Transaction
from cloud.foundation.events import Outbox
from cloud.partners.webhooks.delivery_store import DeliveryStore
from cloud.partners.webhooks.disabling import Disabling, by_product
from cloud.partners.webhooks.endpoint_store import TOGETHER, EndpointStore
from cloud.partners.webhooks.model import DisabledReason, ErrorCode
from cloud.partners.webhooks.subscription_store import SubscriptionStore
from cloud.partners.webhooks.tables import webhook_subscriptions

# As `cloud/access/apps/store.py` writes it: spares a look at the webhooks of apps that are free to send anywhere.
_ANYWHERE = '%"allowed_webhook_hosts":null%'

_subs = webhook_subscriptions.c


class HostGovernance:
    """A chore."""

    def __init__(self, outbox: Outbox, audit: Audit) -> None:
        self._disabling = Disabling(outbox, audit)
        self._endpoints = EndpointStore()

    async def apply(self, tx: Transaction, now_us: int) -> int:
        """Disable what may not be sent to any more; how many webhooks."""
        ids = await self._disallowed(tx)
        endpoints = await self._endpoints.endpoints(tx, ids)
        disabled = 0
        for id in ids:
            disabled += await self._disabling.disable(tx, endpoints[id], DisabledReason.NOT_ALLOWED, now_us)
        return disabled

    async def _disallowed(self, tx: Transaction) -> Sequence[str]:
        """By id, since everybody locks them in that order."""
        statement = (
            select(_subs.id, _subs.url, apps.c.governance)
            .join(apps, apps.c.client_id == _subs.client_id)
            .where(_subs.deleted_at_us.is_(None), _subs.disabled_at_us.is_(None), apps.c.governance.not_like(_ANYWHERE))
            .order_by(_subs.id)
        )
        return [
            row.id
            for row in await tx.execute(statement)
            if not Governance.of(orjson.loads(row.governance)).allows_webhook(host_of(row.url))
        ]


class OrphanedWebhooks:
    """A chore: the webhooks of apps that were deleted are removed, and what waits for them is discarded (A-064)."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._deliveries = DeliveryStore()
        self._endpoints = EndpointStore()
        self._subscriptions = SubscriptionStore()

    async def apply(self, tx: Transaction, now_us: int) -> int:
        """How many ended."""
        ids = await self._orphans(tx)
        endpoints = await self._endpoints.endpoints(tx, ids)
        for id in ids:
            await self._subscriptions.remove(tx, id, now_us)
            await self._deliveries.discard_waiting(tx, id, ErrorCode.ENDPOINT_DELETED, now_us, tests=True)
            why = {"reason": "app_deleted"}
            await self._audit.record(tx, by_product(endpoints[id]), "webhook.remove", id, metadata=why)
        return len(ids)

    async def _orphans(self, tx: Transaction) -> Sequence[str]:
        """By id, since everybody locks them in that order."""
        statement = (
            select(_subs.id)
            .join(apps, apps.c.client_id == _subs.client_id)
            .where(_subs.deleted_at_us.is_(None), apps.c.deleted_at_us.is_not(None))
            .order_by(_subs.id)
            .limit(TOGETHER)
        )
        return [row.id for row in await tx.execute(statement)]


def host_of(url: str) -> str:
    """As the address was judged when it was registered."""
    return (URL(url).raw_host or "").lower()
