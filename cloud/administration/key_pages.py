"""The keys that sign tokens and webhooks, and where each is in its life. They belong to the installation, whoever
looks.

An administrator of the whole tenant may rotate: the next key has been published long enough by then, so nobody's tokens
are harmed. What ends tokens early (`at once`, `withdraw`) is the operator's, at the console.
"""

from cloud.administration.desk import Area, Desk, Visit, done
from cloud.administration.errors import WholeTenantOnly
from cloud.errors import DomainError
from cloud.http import Answer
from cloud.tokens import SigningKeys
from cloud.tokens.errors import KeyTooFresh
from cloud.tokens.signing_key import PUBLISHED_LEAST_US, KeyState
from cloud.webhooks import WebhookKeys, WebhookKeyTooFresh
from cloud.webhooks.keys import PUBLISHED_LEAST_US as WEBHOOK_KEY_PUBLISHED_LEAST_US


class KeyPages:
    """One page and its two forms."""

    def __init__(self, desk: Desk, keys: SigningKeys) -> None:
        self._desk = desk
        self._parts = desk.parts
        self._keys = keys
        self._webhook_keys = WebhookKeys(desk.parts.database, desk.parts.clock, desk.parts.master)

    async def page(self, visit: Visit) -> Answer:
        """`GET /admin/keys`."""
        return await self._shown(visit)

    async def rotate(self, visit: Visit) -> Answer:
        """`POST /admin/keys/rotate`."""
        if visit.viewer.organization_id is not None:
            return await self._shown(visit, WholeTenantOnly())
        try:
            await self._keys.rotate(witness=self._desk.witness(visit, "key.rotate", lambda key: key.kid))
        except DomainError as error:
            return await self._shown(visit, error)
        return done(Area.KEYS.path, "key_rotated")

    async def rotate_webhook_key(self, visit: Visit) -> Answer:
        """`POST /admin/keys/rotate-webhook-key`."""
        if visit.viewer.organization_id is not None:
            return await self._shown(visit, WholeTenantOnly())
        try:
            await self._webhook_keys.rotate(
                witness=self._desk.witness(visit, "webhook_key.rotate", lambda key: key.kid)
            )
        except DomainError as error:
            return await self._shown(visit, error)
        return done(Area.KEYS.path, "webhook_key_rotated")

    async def _shown(self, visit: Visit, error: DomainError | None = None) -> Answer:
        keys = list(reversed(await self._keys.list()))
        now_us = self._parts.clock.now_us()
        following = next((key for key in keys if key.state is KeyState.NEXT), None)
        usable_us = None if following is None else following.published_at_us + PUBLISHED_LEAST_US
        webhook_keys = await self._webhook_keys.published()
        successor = next((key for key in webhook_keys if key.signs_from_us is None), None)
        webhook_usable_us = None if successor is None else successor.published_at_us + WEBHOOK_KEY_PUBLISHED_LEAST_US
        return self._desk.page(
            visit,
            "keys.html",
            error=error,
            too_fresh=isinstance(error, KeyTooFresh),
            keys=[(key, key.is_published(now_us)) for key in keys],
            webhook_key_too_fresh=isinstance(error, WebhookKeyTooFresh),
            webhook_keys=webhook_keys,
            webhook_usable_us=webhook_usable_us,
            webhook_usable=webhook_usable_us is not None and webhook_usable_us <= now_us,
            usable_us=usable_us,
            usable=usable_us is not None and usable_us <= now_us,
            may_rotate=visit.viewer.organization_id is None,
        )
