"""The keys that sign tokens and webhooks, and where each is in its life. They belong to the installation, whoever
looks, so this page only shows them.

A tenant's administrator must not change what every tenant's tokens and receivers depend on: each rotation adds a key to
the published set for up to 90 days. Rotating and withdrawing are the operator's, at the console.
"""

from cloud.access.tokens import SigningKeys
from cloud.foundation.http import Answer
from cloud.partners.administration.desk import Desk, Visit
from cloud.partners.webhooks import WebhookKeys


class KeyPages:
    """One page."""

    def __init__(self, desk: Desk, keys: SigningKeys) -> None:
        self._desk = desk
        self._parts = desk.parts
        self._keys = keys
        self._webhook_keys = WebhookKeys(desk.parts.database, desk.parts.clock, desk.parts.master)

    async def page(self, visit: Visit) -> Answer:
        """`GET /admin/keys`."""
        keys = list(reversed(await self._keys.list()))
        now_us = self._parts.clock.now_us()
        return self._desk.page(
            visit,
            "keys.html",
            keys=[(key, key.is_published(now_us)) for key in keys],
            webhook_keys=await self._webhook_keys.published(),
        )
