"""The rows of subscriptions as their owners see and change them. endpoint_store.py has the columns for delivery."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, or_, select, update

from cloud.foundation.db import Records, Transaction, insert
from cloud.foundation.viewer import Viewer, visible
from cloud.partners.webhooks.catalogue import in_order
from cloud.partners.webhooks.errors import WebhookUnknown
from cloud.partners.webhooks.model import WEBHOOK_ID, DisabledReason, Subscription
from cloud.partners.webhooks.tables import webhook_events, webhook_subscriptions

_subs = webhook_subscriptions.c
_SUBSCRIPTIONS = Records(Subscription, webhook_subscriptions)


class SubscriptionStore:
    """SQL statements on subscriptions."""

    async def find(self, tx: Transaction, viewer: Viewer, id: str, *, lock: bool = False) -> Subscription:
        """Return a subscription that the viewer may see. `lock`: lock the subscription until `tx` ends. Raises
        `WebhookUnknown`.

        On PostgreSQL the lock (FOR NO KEY UPDATE) still allows foreign-key references. A transaction that queues a
        delivery needs such a reference while it holds the lock of an older delivery. The transaction that locked the
        subscription may need that older delivery next: a stronger lock would deadlock.
        """
        statement = _seen(viewer).where(_subs.id == id)
        if lock:
            statement = statement.with_for_update(key_share=True)
        found = await self._read(tx, statement)
        if not found:
            raise WebhookUnknown
        return found[0]

    async def page(
        self, tx: Transaction, viewer: Viewer, *, after: str | None, count: int, client_id: str | None = None
    ) -> Sequence[Subscription]:
        """Return at most `count` subscriptions after the id `after`, oldest first. `client_id`: only subscriptions of
        this app."""
        statement = _seen(viewer).where(_subs.id > (after or WEBHOOK_ID)).order_by(_subs.id).limit(count)
        return await self._read(tx, statement if client_id is None else statement.where(_subs.client_id == client_id))

    async def list_failing(self, tx: Transaction, viewer: Viewer, *, count: int) -> Sequence[Subscription]:
        """Return at most `count` subscriptions whose receiver fails, or that were disabled because their receiver
        failed."""
        failing = or_(
            _subs.failing_since_us.is_not(None),
            _subs.disabled_reason.in_([DisabledReason.GONE.value, DisabledReason.FAILING.value]),
        )
        return await self._read(tx, _seen(viewer).where(failing).order_by(_subs.id).limit(count))

    async def _read(self, tx: Transaction, statement: Any) -> Sequence[Subscription]:
        rows = (await tx.execute(statement)).rows
        events = await self._events(tx, [row.id for row in rows])
        return [_SUBSCRIPTIONS.read(row, events=events.get(row.id, ())) for row in rows]

    async def count_of_app(self, tx: Transaction, client_id: str) -> int:
        counted = _subs.client_id == client_id, _subs.deleted_at_us.is_(None), _subs.is_callback == 0
        statement = select(func.count()).where(*counted)
        return int((await tx.execute(statement)).scalar())

    async def add(self, tx: Transaction, subscription: Subscription, secret_sealed: bytes) -> None:
        secret = {"secret_sealed": secret_sealed, "secret_set_at_us": subscription.created_at_us}
        await tx.execute(insert(webhook_subscriptions).values({**_SUBSCRIPTIONS.values(subscription), **secret}))
        await self._add_events(tx, subscription)

    async def replace(self, tx: Transaction, subscription: Subscription) -> None:
        """Write all fields and events of a subscription that the caller has locked."""
        ours = _subs.id == subscription.id
        values = _SUBSCRIPTIONS.values(subscription)
        if subscription.failing_since_us is None:
            values["failed_at_us"] = None  # the last failure matters only while there is a first one
        await tx.execute(update(webhook_subscriptions).where(ours).values(values))
        await tx.execute(delete(webhook_events).where(webhook_events.c.webhook_id == subscription.id))
        await self._add_events(tx, subscription)

    async def sealed_secret(self, tx: Transaction, id: str) -> bytes:
        """Return the sealed current secret of a subscription. Call this only for a subscription that is not deleted."""
        sealed = (await tx.execute(select(_subs.secret_sealed).where(_subs.id == id))).scalar()
        assert sealed is not None, "only a deleted webhook has no secret"
        return bytes(sealed)

    async def rotate(self, tx: Transaction, id: str, sealed: bytes, now_us: int, previous_until_us: int) -> None:
        """Store a new sealed secret of a subscription. The previous secret also signs until `previous_until_us`; older
        secrets stop at once."""
        await tx.execute(
            update(webhook_subscriptions)
            .where(_subs.id == id)
            .values(
                previous_secret_sealed=_subs.secret_sealed,
                previous_secret_expires_at_us=previous_until_us,
                secret_sealed=sealed,
                secret_set_at_us=now_us,
            )
        )

    async def remove(self, tx: Transaction, id: str, now_us: int) -> None:
        """Mark a subscription as deleted and erase its secrets and events; its deliveries stay for their retention."""
        await tx.execute(
            update(webhook_subscriptions)
            .where(_subs.id == id)
            .values(
                deleted_at_us=now_us,
                secret_sealed=None,
                previous_secret_sealed=None,
                previous_secret_expires_at_us=None,
            )
        )
        await tx.execute(delete(webhook_events).where(webhook_events.c.webhook_id == id))

    async def _add_events(self, tx: Transaction, subscription: Subscription) -> None:
        rows = [{"webhook_id": subscription.id, "event": event} for event in subscription.events]
        await tx.execute(insert(webhook_events), rows)

    async def _events(self, tx: Transaction, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        if ids:
            statement = select(webhook_events).where(webhook_events.c.webhook_id.in_(ids))
            for row in await tx.execute(statement):
                found[row.webhook_id] = (*found.get(row.webhook_id, ()), row.event)
        return {id: in_order(events) for id, events in found.items()}


def _seen(viewer: Viewer) -> Any:
    # Without the receivers of call-backs, which follow from requests of jobs and have nothing to configure.
    shown = _subs.deleted_at_us.is_(None), _subs.is_callback == 0
    return _SUBSCRIPTIONS.select().where(*visible(webhook_subscriptions, viewer), *shown)
