"""Webhooks whose host their tenant does not allow any more are disabled: what governance says holds for those that are
there too.

A look every few seconds rather than a call from wherever governance is changed: so it holds whoever changes it and
however, and apps need to know nothing of webhooks.
"""

from collections.abc import Sequence

import orjson
from sqlalchemy import select
from yarl import URL

from cloud.apps import Governance
from cloud.apps.tables import apps
from cloud.audit import Audit
from cloud.db import Transaction
from cloud.events import Outbox
from cloud.webhooks.disabling import Disabling
from cloud.webhooks.endpoint_store import EndpointStore
from cloud.webhooks.model import DisabledReason
from cloud.webhooks.tables import webhook_subscriptions

# As `cloud/apps/store.py` writes it: spares a look at the webhooks of apps that are free to send anywhere.
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


def host_of(url: str) -> str:
    """As the address was judged when it was registered."""
    return (URL(url).raw_host or "").lower()
