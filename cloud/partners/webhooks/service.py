"""Create, change, rotate and remove webhooks; each change writes its audit entry in the same transaction.

The address is checked before the transaction, since the check queries the name server. The app's approvals for the host
and the events are checked in the transaction. worker.py sends the deliveries, log.py reads them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cloud.access.apps import App, AppStore
from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.egress import Target
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKey
from cloud.foundation.readable import hidden_character
from cloud.foundation.viewer import Actor, Viewer
from cloud.partners.webhooks.catalogue import check_approved, known_events
from cloud.partners.webhooks.delivery_store import DeliveryStore
from cloud.partners.webhooks.errors import DescriptionMalformed, TooManyWebhooks, WebhookHostNotAllowed
from cloud.partners.webhooks.governing import host_of
from cloud.partners.webhooks.model import WEBHOOK_ID, DisabledReason, ErrorCode, Subscription
from cloud.partners.webhooks.sealing import open_key, seal_key
from cloud.partners.webhooks.signing import new_secret, secret_key
from cloud.partners.webhooks.subscription_store import SubscriptionStore

WEBHOOKS_MAX = 100
"""Webhooks of one app. Each may subscribe to every event, so an app needs only one for each receiver."""
OVERLAP_US = 24 * 3_600_000_000
"""Time for which the previous secret signs beside the new one (contract matrix A-058)."""

Judge = Callable[[str], Awaitable[Target]]
"""Check whether an address may be called. Raises `UrlMalformed`, `UrlBlocked`."""
Precondition = Callable[[Subscription], None]
"""Examine the locked webhook before a change. Raises when the client saw another version of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A requested webhook. `secret` None: generate a secret. `enabled` False: the webhook starts disabled, so that it
    can be tested first (contract C-094)."""

    url: str
    events: Sequence[str]
    secret: str | None = field(default=None, repr=False)
    description: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The fields of a webhook to change; None leaves a field as it is. An empty `description` removes the text."""

    url: str | None = None
    events: Sequence[str] | None = None
    secret: str | None = field(default=None, repr=False)
    description: str | None = None
    enabled: bool | None = None

    def names(self) -> list[str]:
        """Return the public names of the fields to change."""
        given = {
            "description": self.description,
            "events": self.events,
            "secret": self.secret,
            "status": self.enabled,
            "url": self.url,
        }
        return [name for name, value in given.items() if value is not None]


class Webhooks:
    """Create, find, change and remove webhooks. `master` returns the master key that seals the webhooks' secrets."""

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
        self._audit = Audit(clock)

    async def create(self, actor: Actor, client_id: str, wanted: Wanted) -> tuple[Subscription, str | None]:
        """Create a webhook of the app `client_id`; return it with the generated secret, if any. No later call returns
        the secret. The webhook receives only events that the actor may see. Raises `UrlMalformed`, `UrlBlocked`,
        `SecretMalformed`, `EventsMalformed`, `DescriptionMalformed`, `EventNotApproved`, `WebhookHostNotAllowed`,
        `TooManyWebhooks`."""
        made = new_secret() if wanted.secret is None else None
        key = secret_key(made or wanted.secret or "")
        events, description = known_events(wanted.events), _checked_description(wanted.description)
        target = await self._judge(wanted.url)
        id, now_us = self._ids.new(WEBHOOK_ID), self._clock.now_us()
        sealed = seal_key(self._master(), id, key)
        async with self._database.transaction() as tx:
            # As the operator: the app's row may need a higher clearance than its token has. Locked, so that concurrent
            # requests count the app's webhooks one after the other.
            app = await self._apps.find_for(tx, Actor.operator(actor.tenant_id), client_id, lock=True)
            subscription = Subscription(
                id=id,
                tenant_id=actor.tenant_id,
                organization_id=actor.organization_id,
                client_id=client_id,
                secrecy_level=actor.clearance,
                url=wanted.url,
                description=description,
                events=events,
                previous_secret_expires_at_us=None,
                disabled_at_us=None if wanted.enabled else now_us,
                disabled_reason=None if wanted.enabled else DisabledReason.BY_OWNER,
                failing_since_us=None,
                version=1,
                created_at_us=now_us,
                updated_at_us=now_us,
            )
            check_approved(events, _approved(app))
            _check_host(app, target.host)
            if await self._store.count_of_app(tx, client_id) >= WEBHOOKS_MAX:
                raise TooManyWebhooks
            await self._store.add(tx, subscription, sealed)
            metadata = {"events": sorted(set(wanted.events))}
            await self._audit.record(tx, actor, "webhook.create", id, metadata=metadata)
        return subscription, made

    async def find(self, viewer: Viewer, id: str) -> Subscription:
        """Return a webhook. Raises `WebhookUnknown`, also for a webhook that the viewer may not see."""
        async with self._database.read() as tx:
            return await self._store.find(tx, viewer, id)

    async def page(
        self, viewer: Viewer, *, after: str | None, count: int, client_id: str | None = None
    ) -> Sequence[Subscription]:
        """Return at most `count` webhooks after the id `after`, oldest first. `client_id`: only this app's webhooks."""
        async with self._database.read() as tx:
            return await self._store.page(tx, viewer, after=after, count=count, client_id=client_id)

    async def list_failing(self, viewer: Viewer, *, count: int) -> Sequence[Subscription]:
        """Return at most `count` webhooks whose receiver fails, or that were disabled because their receiver failed."""
        async with self._database.read() as tx:
            return await self._store.list_failing(tx, viewer, count=count)

    async def change(
        self,
        actor: Actor,
        id: str,
        wanted: Change,
        *,
        client_id: str | None = None,
        precondition: Precondition | None = None,
    ) -> Subscription:
        """Change the given fields of a webhook (contract C-085). A repeated change has no effect.

        `client_id`: the app that requests the change; None for an administrator or the operator. An app that sets the
        address, the events or the secret must itself be approved for the events, like the app that owns the webhook:
        otherwise one app could use another app's approval. `precondition` examines the webhook before the change and
        may raise. Raises `WebhookUnknown`, `UrlMalformed`, `UrlBlocked`, `SecretMalformed`, `EventsMalformed`,
        `DescriptionMalformed`, `EventNotApproved`, `WebhookHostNotAllowed`.
        """
        metadata = {"changed": wanted.names()}
        return await self._change(actor, id, wanted, "webhook.change", metadata, client_id, precondition)

    async def rotate_secret(
        self, actor: Actor, id: str, secret: str, *, precondition: Precondition | None = None
    ) -> Subscription:
        """Sign a webhook's deliveries with `secret` from now on, and for a day also with the previous secret. Raises
        `WebhookUnknown`, `SecretMalformed`, `WebhookHostNotAllowed`."""
        return await self._change(actor, id, Change(secret=secret), "webhook.rotate_secret", precondition=precondition)

    async def set_enabled(
        self, actor: Actor, id: str, enabled: bool, *, precondition: Precondition | None = None
    ) -> Subscription:
        """Enable a webhook, or disable it and discard its pending deliveries. Raises `WebhookUnknown`. Enabling can
        also raise `WebhookHostNotAllowed`."""
        action = "webhook.enable" if enabled else "webhook.disable"
        return await self._change(actor, id, Change(enabled=enabled), action, precondition=precondition)

    async def _change(
        self,
        actor: Actor,
        id: str,
        wanted: Change,
        action: str,
        metadata: Mapping[str, Any] | None = None,
        client_id: str | None = None,
        precondition: Precondition | None = None,
    ) -> Subscription:
        # The values first: only for a valid request it matters whether the webhook exists, and in which version
        # (contract matrix A-005).
        key = None if wanted.secret is None else secret_key(wanted.secret)
        chosen = None if wanted.events is None else known_events(wanted.events)
        _checked_description(wanted.description)
        if wanted.url is not None:
            await self._judge(wanted.url)
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            before = await self._store.find(tx, actor, id, lock=True)
            if precondition is not None:
                precondition(before)
            events = before.events if chosen is None else chosen
            if wanted.enabled or not (wanted.url is None and chosen is None and key is None):
                await self._check_approvals(tx, before, wanted, events, client_id)
            after = _merged(before, wanted, events, now_us)
            rotated = key is not None and await self._rotate(tx, id, key, now_us)
            if after == before and not rotated:
                return before
            until_us = now_us + OVERLAP_US if rotated else before.previous_secret_expires_at_us
            after = replace(
                after, version=before.version + 1, updated_at_us=now_us, previous_secret_expires_at_us=until_us
            )
            await self._store.replace(tx, after)
            if after.disabled_at_us is not None and before.disabled_at_us is None:
                await self._deliveries.discard_pending(tx, id, ErrorCode.ENDPOINT_DISABLED, now_us, tests=False)
            await self._audit.record(tx, actor, action, id, metadata=metadata)
        return after

    async def remove(self, actor: Actor, id: str) -> None:
        """Remove a webhook and discard its pending deliveries (contract matrix A-064). Raises `WebhookUnknown`."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            await self._store.find(tx, actor, id, lock=True)
            await self._store.remove(tx, id, now_us)
            await self._deliveries.discard_pending(tx, id, ErrorCode.ENDPOINT_DELETED, now_us, tests=True)
            await self._audit.record(tx, actor, "webhook.remove", id)

    async def _check_approvals(
        self, tx: Transaction, before: Subscription, wanted: Change, events: tuple[str, ...], client_id: str | None
    ) -> None:
        """Check the events and host of the changed webhook against the approvals of two apps: the app that owns the
        webhook, and the app that requests the change. Raises `EventNotApproved`, `WebhookHostNotAllowed`."""
        host = host_of(before.url if wanted.url is None else wanted.url)
        owner = await self._apps.find(tx, before.client_id)
        _check_host(owner, host)
        if wanted.events is not None:
            check_approved(events, _approved(owner))
        if client_id is not None and client_id != before.client_id:
            asking = await self._apps.find(tx, client_id)
            check_approved(events, _approved(asking))
            _check_host(asking, host)

    async def _rotate(self, tx: Transaction, id: str, key: bytes, now_us: int) -> bool:
        """Store a new secret of a webhook. Return False if the secret is already the current one, so that a repeated
        request does not rotate twice."""
        master = self._master()
        if open_key(master, id, await self._store.sealed_secret(tx, id)) == key:
            return False
        await self._store.rotate(tx, id, seal_key(master, id, key), now_us, now_us + OVERLAP_US)
        return True


def _checked_description(text: str | None) -> str | None:
    """Return the description of a webhook without surrounding spaces, or None if nothing is left. Raises
    `DescriptionMalformed`."""
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
        after = replace(after, failing_since_us=None)  # another receiver failed, or this one is repaired
    if wanted.enabled is False and before.disabled_at_us is None:
        after = replace(after, disabled_at_us=now_us, disabled_reason=DisabledReason.BY_OWNER)
    return after


def _approved(app: App | None) -> tuple[str, ...]:
    return () if app is None else app.usable_scopes


def _check_host(app: App | None, host: str) -> None:
    if app is None or not app.governance.allows_webhook(host):
        raise WebhookHostNotAllowed
