"""The pages of webhooks: deliveries with their errors and next attempts, replays, enabling and disabling. No page
creates a subscription: apps create their own over the HTTP API.
"""

from collections.abc import Awaitable, Callable, Sequence

from cloud.foundation.errors import DomainError
from cloud.foundation.http import PreconditionFailed, Response
from cloud.partners.administration.admin_pages import AdminPages, Area, Visit, done
from cloud.partners.administration.moments import SECOND_US
from cloud.partners.administration.schemas import AppsOfQuery, ReplayForm, WebhookQuery
from cloud.partners.webhooks import (
    DeliveryLog,
    DeliveryStatus,
    Filter,
    Judge,
    Logged,
    ReplayMode,
    Subscription,
    Webhooks,
    new_secret,
)

DELIVERIES = 20
"""Deliveries on one page; each is shown with its attempts."""
HOUR_US = 3600 * SECOND_US
REPLAYS_H = (1, 24, 3 * 24, 7 * 24, 30 * 24)
SHOWN = (DeliveryStatus.FAILED, DeliveryStatus.EXHAUSTED, DeliveryStatus.DISCARDED, DeliveryStatus.SUCCEEDED)
"""Statuses in the filter, the most urgent first."""


class WebhookPages:
    """Show and change webhooks of the administrator's tenant and organisation."""

    def __init__(self, pages: AdminPages, judge: Judge) -> None:
        parts = pages.parts
        self._pages = pages
        self._parts = parts
        self._webhooks = Webhooks(parts.database, parts.clock, parts.ids, parts.master, judge)
        self._log = DeliveryLog(parts.database, parts.clock, parts.ids)

    async def list(self, visit: Visit) -> Response:
        query: AppsOfQuery = visit.request.query
        rows, onward = await self._pages.rows(
            visit,
            lambda after, count: self._webhooks.page(visit.actor, after=after, count=count, client_id=query.app),
            lambda webhook: webhook.id,
            {"app": query.app},
        )
        return self._pages.page(visit, "webhooks.html", webhooks=rows, onward=onward, app=query.app)

    async def show(self, visit: Visit) -> Response:
        return await self._one(visit)

    async def rotate(self, visit: Visit) -> Response:
        """Rotate the signing secret of a webhook and show the new secret."""
        secret = new_secret()
        try:
            changed = await self._webhooks.rotate_secret(visit.actor, _id(visit), secret, precondition=_as_shown(visit))
        except DomainError as error:
            return await self._one(visit, error)
        return self._pages.page(
            visit,
            "told.html",
            scripted=True,
            key="told.webhook_secret",
            name=changed.url,
            told=[("webhook.secret", secret)],
            back=_path(visit),
            until_us=changed.previous_secret_expires_at_us,
        )

    async def disable(self, visit: Visit) -> Response:
        return await self._change(visit, "webhook_disabled", self._set_enabled(visit, False))

    async def enable(self, visit: Visit) -> Response:
        return await self._change(visit, "webhook_enabled", self._set_enabled(visit, True))

    def _set_enabled(self, visit: Visit, enabled: bool) -> Awaitable[object]:
        return self._webhooks.set_enabled(visit.actor, _id(visit), enabled, precondition=_as_shown(visit))

    async def test(self, visit: Visit) -> Response:
        """Queue a test delivery of the webhook on the page."""
        return await self._change(visit, "test_queued", self._log.test(visit.actor, _id(visit)))

    async def replay_one(self, visit: Visit) -> Response:
        delivery_id = visit.request.path["delivery_id"]
        return await self._change(visit, "replay_queued", self._log.replay_one(visit.actor, _id(visit), delivery_id))

    async def _change(self, visit: Visit, what: str, change: Awaitable[object]) -> Response:
        """Await `change`. Show the confirmation text with the key `what` or, if `change` fails, the error on the
        webhook's page."""
        try:
            await change
        except DomainError as error:
            return await self._one(visit, error)
        return done(_path(visit), what)

    async def replay_failed(self, visit: Visit) -> Response:
        """Replay the deliveries that failed in the last hours, for the webhook on the page. The form's field `hours` is
        the number of hours."""
        form: ReplayForm = visit.request.body
        from_us = self._parts.clock.now_us() - form.hours * HOUR_US
        try:
            replay = await self._log.replay_many(visit.actor, _id(visit), ReplayMode.FAILED, from_us=from_us)
        except DomainError as error:
            return await self._one(visit, error)
        return done(_path(visit), "replay_queued" if replay.queued or not replay.done_at_us else "replay_empty")

    async def _one(self, visit: Visit, error: DomainError | None = None) -> Response:
        webhook = await self._webhooks.find(visit.actor, _id(visit))
        shows = isinstance(
            visit.request.query, WebhookQuery
        )  # otherwise a form was rejected: show the newest deliveries
        query = visit.request.query if shows else WebhookQuery()

        def read(before: int | None, count: int) -> Awaitable[Sequence[Logged]]:
            return self._log.page(visit.actor, webhook.id, Filter(status=query.status), before=before, count=count)

        if shows:
            filters = {"status": query.status, "webhook_id": webhook.id}
            rows, onward = await self._pages.rows(
                visit, read, lambda delivery: delivery.position, filters, position=(int,), limit=DELIVERIES
            )
        else:
            rows, onward = await read(None, DELIVERIES), None
        return self._pages.page(
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


def _id(visit: Visit) -> str:
    return visit.request.path["webhook_id"]


def _path(visit: Visit) -> str:
    return f"{Area.WEBHOOKS.path}/{_id(visit)}"


def _as_shown(visit: Visit) -> Callable[[Subscription], None]:
    """Return a precondition that raises `PreconditionFailed` when the webhook has changed since its page was shown."""
    version = visit.request.body.version

    def check(before: Subscription) -> None:
        if str(before.version) != version:
            raise PreconditionFailed

    return check
