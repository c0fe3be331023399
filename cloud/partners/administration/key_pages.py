"""The read-only page of the keys that sign tokens and webhooks, with their states.

The keys belong to the installation, and the tokens and receivers of every tenant depend on them. So only the operator
rotates and withdraws keys, on the command line. Each rotation adds a key to the published set for up to 90 days.
"""

from cloud.access.tokens import SigningKeys
from cloud.foundation.http import Response
from cloud.partners.administration.admin_pages import AdminPages, Visit
from cloud.partners.webhooks import WebhookKeys


class KeyPages:
    def __init__(self, pages: AdminPages, keys: SigningKeys) -> None:
        self._pages = pages
        self._parts = pages.parts
        self._keys = keys
        self._webhook_keys = WebhookKeys(pages.parts.database, pages.parts.clock, pages.parts.master)

    async def page(self, visit: Visit) -> Response:
        keys = list(reversed(await self._keys.list()))
        now_us = self._parts.clock.now_us()
        return self._pages.page(
            visit,
            "keys.html",
            keys=[(key, key.is_published(now_us)) for key in keys],
            webhook_keys=await self._webhook_keys.published(),
        )
