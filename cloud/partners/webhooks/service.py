"""Subscribe, change, rotate the secret, unsubscribe: what the owner of a webhook does with it.

An address is judged before a transaction is open, since that asks the name server; whether the tenant lets the app send
there and hear of those events is looked at within it. Sending is `worker.py`'s matter, looking at what was sent
`log.py`'s.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from cloud.access.apps import App, AppStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.egress import Target
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKey
from cloud.foundation.readable import hidden_character
from cloud.foundation.viewer import Viewer
from cloud.partners.webhooks.catalogue import checked_events
from cloud.partners.webhooks.delivery_store import DeliveryStore
from cloud.partners.webhooks.errors import DescriptionMalformed, TooManyWebhooks, WebhookHostNotAllowed, WebhookUnknown
from cloud.partners.webhooks.governing import host_of
from cloud.partners.webhooks.model import DisabledReason, ErrorCode, Subscription
from cloud.partners.webhooks.sealing import open_key, seal_key
from cloud.partners.webhooks.signing import new_secret, secret_key
from cloud.partners.webhooks.subscription_store import SubscriptionStore

WEBHOOKS_MAX = 100
"""Of one app. Each may have every event, so nobody needs that many."""
OVERLAP_US = 24 * 3_600_000_000
"""How long the previous secret signs beside the new one (A-058)."""

Judge = Callable[[str], Awaitable[Target]]
"""Whether an address may be called. Raises `UrlMalformed`, `UrlBlocked`."""
Witness = Callable[[Transaction, Subscription], Awaitable[None]]
"""Writes the audit entry of a change, in the change's transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A webhook as its owner wants it. `secret` None: one is made. Not `enabled`: it can be tested first (C-094)."""

    url: str
    events: Sequence[str]
    secret: str | None = field(default=None, repr=False)
    description: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What shall be different; None stays as it is. `description` "" takes it away."""

    url: str | None = None
    events: Sequence[str] | None = None
    secret: str | None = field(default=None, repr=False)
    description: str | None = None
    enabled: bool | None = None


async def nobody(tx: Transaction, subscription: Subscription) -> None:
    """A witness for tests and for changes that need none."""


class Webhooks:
    """The use cases. `master` is asked when a secret is to be kept."""

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, master: Callable[[], MasterKey], judge: Judge
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._master = master
        self._judge = judge
        self._store = SubscriptionStore()
        self._deliveries = DeliveryStore()
        self._apps = AppStore()

    async def create(
        self, viewer: Viewer, client_id: str, wanted: Wanted, *, witness: Witness = nobody
    ) -> tuple[Subscription, str | None]:
        """The new webhook of an app, and its secret when that was made here, once only.

        It hears of what whoever creates it may see. Raises `UrlMalformed`, `UrlBlocked`, `SecretMalformed`,
        `EventsMalformed`, `EventNotApproved`, `WebhookHostNotAllowed`, `TooManyWebhooks`.
        """
        made = new_secret() if wanted.secret is None else None
        key = secret_key(made or wanted.secret or "")
        target = await self._judge(wanted.url)
        id, now_us = self._ids.new("wh"), self._clock.now_us()
        sealed = seal_key(self._master(), id, key)
        async with self._database.transaction() as tx:
            # As an operator: the app's own row may lie above the clearance of its token. Locked, so that its webhooks
            # are counted by one at a time.
            app = await self._apps.find_for(tx, Viewer.operator(viewer.tenant_id), client_id, lock=True)
            subscription = Subscription(
                id=id,
                tenant_id=viewer.tenant_id,
                organization_id=viewer.organization_id,
                client_id=client_id,
                clearance=viewer.clearance,
                url=wanted.url,
                description=_checked_description(wanted.description),
                events=checked_events(wanted.events, _approved(app)),
                previous_secret_expires_at_us=None,
                disabled_at_us=None if wanted.enabled else now_us,
                disabled_reason=None if wanted.enabled else DisabledReason.BY_OWNER,
                failing_since_us=None,
                version=1,
                created_at_us=now_us,
                updated_at_us=now_us,
            )
            _check_host(app, target.host)
            if await self._store.count_of_app(tx, client_id) >= WEBHOOKS_MAX:
                raise TooManyWebhooks
            await self._store.add(tx, subscription, sealed)
            await witness(tx, subscription)
        return subscription, made

    async def find(self, viewer: Viewer, id: str) -> Subscription:
        """Raises `WebhookUnknown`, also for another tenant's or organisation's."""
        async with self._database.read() as tx:
            found = await self._store.find(tx, viewer, id)
        if found is None:
            raise WebhookUnknown
        return found

    async def page(
        self, viewer: Viewer, *, after: str | None, count: int, client_id: str | None = None
    ) -> Sequence[Subscription]:
        """In the order of their age: at most `count` of those behind `after`. `client_id`: only this app's."""
        async with self._database.read() as tx:
            return await self._store.page(tx, viewer, after=after, count=count, client_id=client_id)

    async def ailing(self, viewer: Viewer, *, count: int) -> Sequence[Subscription]:
        """What somebody has to look at: those whose receiver fails, or that were disabled because it did."""
        async with self._database.read() as tx:
            return await self._store.ailing(tx, viewer, count=count)

    async def change(
        self,
        viewer: Viewer,
        id: str,
        wanted: Change,
        *,
        client_id: str | None = None,
        require: Callable[[Subscription], None] | None = None,
        witness: Witness = nobody,
    ) -> Subscription:
        """Merge a change into a webhook; its id and its history stay (C-085). The same change again changes nothing.

        `client_id`: the app that asks; None: the operator. Who says where events go, which, and by which secret they
        are known must be approved for them as much as the app that owns the webhook, or one app could use another's
        approval. `require` is given the webhook as it is, locked, and may refuse.
        Raises what `create` raises, `WebhookUnknown`.
        """
        key = None if wanted.secret is None else secret_key(wanted.secret)
        if wanted.url is not None:
            await self._judge(wanted.url)
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            before = await self._locked(tx, viewer, id)
            if require is not None:
                require(before)
            events = before.events
            if wanted.enabled or not (wanted.url is None and wanted.events is None and key is None):
                events = await self._checked(tx, before, wanted, client_id)
            after = _merged(before, wanted, events, now_us)
            rotated = key is not None and await self._rotated(tx, id, key, now_us)
            if after == before and not rotated:
                return before
            until_us = now_us + OVERLAP_US if rotated else before.previous_secret_expires_at_us
            after = replace(
                after, version=before.version + 1, updated_at_us=now_us, previous_secret_expires_at_us=until_us
            )
            await self._store.replace(tx, after)
            if after.disabled_at_us is not None and before.disabled_at_us is None:
                await self._deliveries.discard_waiting(tx, id, ErrorCode.ENDPOINT_DISABLED, now_us, tests=False)
            await witness(tx, after)
        return after

    async def remove(self, viewer: Viewer, id: str, *, witness: Witness = nobody) -> None:
        """Unsubscribe; what waits is discarded (A-064). Raises `WebhookUnknown`."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            subscription = await self._locked(tx, viewer, id)
            await self._store.remove(tx, id, now_us)
            await self._deliveries.discard_waiting(tx, id, ErrorCode.ENDPOINT_DELETED, now_us, tests=True)
            await witness(tx, subscription)

    async def _locked(self, tx: Transaction, viewer: Viewer, id: str) -> Subscription:
        found = await self._store.find(tx, viewer, id, lock=True)
        if found is None:
            raise WebhookUnknown
        return found

    async def _checked(
        self, tx: Transaction, before: Subscription, wanted: Change, client_id: str | None
    ) -> tuple[str, ...]:
        """The events that it shall have, approved for whoever is concerned, as is the host that it shall go to."""
        host = host_of(before.url if wanted.url is None else wanted.url)
        owner = await self._apps.find(tx, before.client_id)
        _check_host(owner, host)
        events = before.events if wanted.events is None else checked_events(wanted.events, _approved(owner))
        if client_id is not None and client_id != before.client_id:
            asking = await self._apps.find(tx, client_id)
            checked_events(events, _approved(asking))
            _check_host(asking, host)
        return events

    async def _rotated(self, tx: Transaction, id: str, key: bytes, now_us: int) -> bool:
        """False when it is the present secret already: a client that repeats itself rotates once."""
        master = self._master()
        if open_key(master, id, await self._store.sealed_secret(tx, id)) == key:
            return False
        await self._store.rotate(tx, id, seal_key(master, id, key), now_us, now_us + OVERLAP_US)
        return True


def _checked_description(text: str | None) -> str | None:
    """None for a text without anything in it; raises `DescriptionMalformed`."""
    trimmed = (text or "").strip()
    if (found := hidden_character(trimmed)) is not None:
        raise DescriptionMalformed(f"(It contains {found}.)")
    return trimmed or None


def _merged(before: Subscription, wanted: Change, events: tuple[str, ...], now_us: int) -> Subscription:
    after = replace(
        before,
        url=before.url if wanted.url is None else wanted.url,
        description=before.description if wanted.description is None else _checked_description(wanted.description),
        events=events,
    )
    enabling = wanted.enabled is True and before.disabled_at_us is not None
    if enabling:
        after = replace(after, disabled_at_us=None, disabled_reason=None)
    if enabling or after.url != before.url:
        after = replace(after, failing_since_us=None)  # what failed was another receiver, or is mended
    if wanted.enabled is False and before.disabled_at_us is None:
        after = replace(after, disabled_at_us=now_us, disabled_reason=DisabledReason.BY_OWNER)
    return after


def _approved(app: App | None) -> tuple[str, ...]:
    return () if app is None else app.usable_scopes


def _check_host(app: App | None, host: str) -> None:
    if app is None or not app.governance.allows_webhook(host):
        raise WebhookHostNotAllowed
