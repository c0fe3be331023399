"""The pages about webhooks: where events go, why one did not get through and when it is tried again, and sending again.

Subscriptions are made by the apps themselves, over the contract's routes; here they are looked at, helped and stopped.
"""

from collections.abc import Awaitable, Sequence
from typing import Any

from cloud.foundation.errors import DomainError
from cloud.foundation.http import Answer, PreconditionFailed
from cloud.partners.administration.desk import Area, Desk, Visit, done
from cloud.partners.administration.moments import SECOND_US
from cloud.partners.administration.schemas import AppsOfQuery, ReplayForm, WebhookQuery
from cloud.partners.webhooks import (
    Change,
    DeliveryLog,
    DeliveryStatus,
    Filter,
    Judge,
    Logged,
    ReplayMode,
    Subscription,
    Webhooks,
    Witness,
    new_secret,
)

DELIVERIES = 20
"""On one page; each has its attempts with it."""
HOUR_US = 3600 * SECOND_US
REPLAYS_H = (1, 24, 3 * 24, 7 * 24, 30 * 24)
SHOWN = (DeliveryStatus.FAILED, DeliveryStatus.EXHAUSTED, DeliveryStatus.DISCARDED, DeliveryStatus.SUCCEEDED)
"""By which deliveries are chosen, the most urgent first."""


class WebhookPages:
    """Webhooks of the administrator's tenant and organisation."""

    def __init__(self, desk: Desk, judge: Judge) -> None:
        parts = desk.parts
        self._desk = desk
        self._parts = parts
        self._webhooks = Webhooks(parts.database, parts.clock, parts.ids, parts.master, judge)
        self._log = DeliveryLog(parts.database, parts.clock, parts.ids)

    async def list(self, visit: Visit) -> Answer:
        """`GET /admin/webhooks`."""
        query: AppsOfQuery = visit.request.query
        rows, onward = await self._desk.rows(
            visit,
            lambda after, count: self._webhooks.page(visit.viewer, after=after, count=count, client_id=query.app),
            lambda webhook: webhook.id,
            {"app": query.app},
        )
        return self._desk.page(visit, "webhooks.html", webhooks=rows, onward=onward, app=query.app)

    async def show(self, visit: Visit) -> Answer:
        """`GET /admin/webhooks/{webhook_id}`."""
        return await self._one(visit)

    async def rotate(self, visit: Visit) -> Answer:
        """`POST /admin/webhooks/{webhook_id}/secret`."""
        secret = new_secret()
        try:
            changed = await self._changed(visit, Change(secret=secret), "webhook.rotate_secret")
        except DomainError as error:
            return await self._one(visit, error)
        return self._desk.page(
            visit,
            "told.html",
            key="told.webhook_secret",
            name=changed.url,
            told=[("webhook.secret", secret)],
            back=_path(visit),
            until_us=changed.previous_secret_expires_at_us,
        )

    async def disable(self, visit: Visit) -> Answer:
        """`POST /admin/webhooks/{webhook_id}/disable`."""
        return await self._set_enabled(visit, enabled=False)

    async def enable(self, visit: Visit) -> Answer:
        """`POST /admin/webhooks/{webhook_id}/enable`."""
        return await self._set_enabled(visit, enabled=True)

    async def _set_enabled(self, visit: Visit, *, enabled: bool) -> Answer:
        action, what = ("webhook.enable", "webhook_enabled") if enabled else ("webhook.disable", "webhook_disabled")
        try:
            await self._changed(visit, Change(enabled=enabled), action)
        except DomainError as error:
            return await self._one(visit, error)
        return done(_path(visit), what)

    async def test(self, visit: Visit) -> Answer:
        """`POST /admin/webhooks/{webhook_id}/test`."""
        try:
            await self._log.test(
                visit.viewer,
                _id(visit),
                self._witness(visit, "webhook.test"),
                traceparent=visit.request.trace.traceparent,
            )
        except DomainError as error:
            return await self._one(visit, error)
        return done(_path(visit), "test_queued")

    async def replay_one(self, visit: Visit) -> Answer:
        """`POST /admin/webhooks/{webhook_id}/deliveries/{delivery_id}/replay`."""
        delivery_id = visit.request.path["delivery_id"]
        try:
            witness = self._witness(visit, "webhook.replay", delivery_id=delivery_id)
            await self._log.replay_one(visit.viewer, _id(visit), delivery_id, visit.user.id, witness)
        except DomainError as error:
            return await self._one(visit, error)
        return done(_path(visit), "replay_queued")

    async def replay_failed(self, visit: Visit) -> Answer:
        """`POST /admin/webhooks/{webhook_id}/replay`."""
        form: ReplayForm = visit.request.body
        from_us = self._parts.clock.now_us() - form.hours * HOUR_US
        try:
            witness = self._witness(visit, "webhook.replay", failed_since_hours=form.hours)
            replay = await self._log.replay_many(
                visit.viewer, _id(visit), ReplayMode.FAILED, visit.user.id, witness, from_us=from_us
            )
        except DomainError as error:
            return await self._one(visit, error)
        return done(_path(visit), "replay_queued" if replay.queued or not replay.done_at_us else "replay_empty")

    async def _changed(self, visit: Visit, change: Change, action: str) -> Subscription:
        version = visit.request.body.version

        def require(before: Subscription) -> None:
            if str(before.version) != version:
                raise PreconditionFailed

        return await self._webhooks.change(
            visit.viewer, _id(visit), change, require=require, witness=self._witness(visit, action)
        )

    async def _one(self, visit: Visit, error: DomainError | None = None) -> Answer:
        webhook = await self._webhooks.find(visit.viewer, _id(visit))
        shows = isinstance(visit.request.query, WebhookQuery)  # else a form was refused, and the newest are beside it
        query = visit.request.query if shows else WebhookQuery()

        def read(before: int | None, count: int) -> Awaitable[Sequence[Logged]]:
            return self._log.page(visit.viewer, webhook.id, Filter(status=query.status), before=before, count=count)

        if shows:
            filters = {"status": query.status, "webhook_id": webhook.id}
            rows, onward = await self._desk.rows(
                visit, read, lambda delivery: delivery.position, filters, position=(int,), limit=DELIVERIES
            )
        else:
            rows, onward = await read(None, DELIVERIES), None
        return self._desk.page(
            visit,
            "webhook.html",
            error=error,
            webhook=webhook,
            rows=rows,
            onward=onward,
            chosen=query.status,
            statuses=[one.value for one in SHOWN],
            replays_h=REPLAYS_H,
        )

    def _witness(self, visit: Visit, action: str, **metadata: Any) -> Witness:
        return self._desk.witness(visit, action, lambda webhook: webhook.id, **metadata)


def _id(visit: Visit) -> str:
    return visit.request.path["webhook_id"]


def _path(visit: Visit) -> str:
    return f"{Area.WEBHOOKS.path}/{_id(visit)}"
