"""Follow changes of apps: disable webhooks whose host is no longer allowed, remove webhooks of deleted apps.

Periodic jobs query for webhooks to disable or remove every few seconds. So every way of changing an app is covered, and
the apps slice does not depend on webhooks.
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
from cloud.partners.webhooks.disabling import Disabling, product_actor
from cloud.partners.webhooks.endpoint_store import ENDPOINTS_BATCH, EndpointStore
from cloud.partners.webhooks.model import DisabledReason, ErrorCode
from cloud.partners.webhooks.subscription_store import SubscriptionStore
from cloud.partners.webhooks.tables import webhook_subscriptions

# The form that `cloud/access/apps/store.py` writes. It excludes the webhooks of apps that may send to any host.
_ANY_HOST = '%"allowed_webhook_hosts":null%'

_subs = webhook_subscriptions.c


class HostGovernance:
    """A periodic job that disables webhooks whose host the app's governance no longer allows."""

    def __init__(self, outbox: Outbox, audit: Audit) -> None:
        self._disabling = Disabling(outbox, audit)
        self._endpoints = EndpointStore()

    async def apply(self, tx: Transaction, now_us: int) -> int:
        """Disable the enabled webhooks whose host the app's governance does not allow; return their number."""
        ids = await self._disallowed(tx)
        endpoints = await self._endpoints.endpoints(tx, ids)
        disabled = 0
        for id in ids:
            disabled += await self._disabling.disable(tx, endpoints[id], DisabledReason.NOT_ALLOWED, now_us)
        return disabled

    async def _disallowed(self, tx: Transaction) -> Sequence[str]:
        """Return the ids of enabled webhooks whose host the app's governance does not allow, in ascending order, which
        is the order of locking."""
        statement = (
            select(_subs.id, _subs.url, apps.c.governance)
            .join(apps, apps.c.client_id == _subs.client_id)
            .where(_subs.deleted_at_us.is_(None), _subs.disabled_at_us.is_(None), apps.c.governance.not_like(_ANY_HOST))
            .order_by(_subs.id)
        )
        return [
            row.id
            for row in await tx.execute(statement)
            if not Governance.of(orjson.loads(row.governance)).allows_webhook(host_of(row.url))
        ]


class OrphanedWebhooks:
    """A periodic job that removes the webhooks of deleted apps and discards their pending deliveries (contract matrix
    A-064)."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._deliveries = DeliveryStore()
        self._endpoints = EndpointStore()
        self._subscriptions = SubscriptionStore()

    async def apply(self, tx: Transaction, now_us: int) -> int:
        """Remove up to `ENDPOINTS_BATCH` webhooks of deleted apps; return their number."""
        ids = await self._orphans(tx)
        endpoints = await self._endpoints.endpoints(tx, ids)
        for id in ids:
            await self._subscriptions.remove(tx, id, now_us)
            await self._deliveries.discard_pending(tx, id, ErrorCode.ENDPOINT_DELETED, now_us, tests=True)
            why = {"reason": "app_deleted"}
            await self._audit.record(tx, product_actor(endpoints[id]), "webhook.remove", id, metadata=why)
        return len(ids)

    async def _orphans(self, tx: Transaction) -> Sequence[str]:
        """Return the ids of webhooks of deleted apps, in ascending order, which is the order of locking."""
        statement = (
            select(_subs.id)
            .join(apps, apps.c.client_id == _subs.client_id)
            .where(_subs.deleted_at_us.is_(None), apps.c.deleted_at_us.is_not(None))
            .order_by(_subs.id)
            .limit(ENDPOINTS_BATCH)
        )
        return [row.id for row in await tx.execute(statement)]


def host_of(url: str) -> str:
    """Return the host of a webhook URL, in lower case and IDNA-encoded, as it was checked at registration."""
    return (URL(url).raw_host or "").lower()
