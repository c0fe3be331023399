"""HTTP handlers of webhooks. Only the creation of a webhook returns its generated secret (contract matrix A-055)."""

from typing import Any

from cloud.access.audit import Audit
from cloud.foundation.http import Created, Json, Listing, NoContent, Parts, Request, Response, strong_etag
from cloud.foundation.moments import MomentMalformed, read_moment
from cloud.partners.webhooks.errors import ReplayMalformed
from cloud.partners.webhooks.log import DeliveryLog
from cloud.partners.webhooks.log_store import Filter
from cloud.partners.webhooks.model import DeliveryStatus, Subscription
from cloud.partners.webhooks.schemas import DeliveryQuery, ReplayWanted, WebhookChange, WebhookQuery, WebhookWanted
from cloud.partners.webhooks.service import Change, Judge, Wanted, Webhooks
from cloud.partners.webhooks.showing import shown, shown_delivery, shown_replay

NEVER_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class WebhookHandlers:
    """Handlers of all routes under `/v1/webhooks`."""

    def __init__(self, parts: Parts, judge: Judge) -> None:
        self._parts = parts
        self._audit = Audit(parts.clock)
        self._webhooks = Webhooks(parts.database, parts.clock, parts.ids, parts.master, judge)
        self._log = DeliveryLog(parts.database, parts.clock, parts.ids)

    async def create(self, request: Request) -> Response:
        body = request.body
        assert isinstance(body, WebhookWanted)
        wanted = Wanted(
            url=body.url,
            events=body.events,
            secret=body.secret,
            description=body.description,
            enabled=body.status == "active",
        )
        made, secret = await self._webhooks.create(request.actor, request.verified.client_id, wanted)
        document = self._shown(made)
        if secret is not None:
            document["secret"] = secret
        location = f"{self._parts.bases[request.host]}{request.route.path}/{made.id}"
        return Created(document, location=location, headers=NEVER_KEPT)

    async def list(self, request: Request) -> Response:
        query = request.query
        assert isinstance(query, WebhookQuery)
        listing = Listing(cursors=self._parts.cursors, viewer=request.viewer, route=request.route.name)
        page = await listing.read_page(
            query.cursor,
            query.limit,
            lambda after, count: self._webhooks.page(request.viewer, after=after, count=count),
            lambda webhook: webhook.id,
        )
        return Json({"webhooks": [self._shown(one) for one in page.rows], "next_cursor": page.next_cursor})

    async def inspect(self, request: Request) -> Response:
        found = await self._webhooks.find(request.viewer, request.path["webhook_id"])
        return Json(self._shown(found), etag=self._etag(found))

    async def change(self, request: Request) -> Response:
        """Change the given fields of a webhook and keep the others (contract matrix A-057)."""
        body = request.body
        assert isinstance(body, WebhookChange)
        described = "description" in body.model_fields_set
        wanted = Change(
            url=body.url,
            events=body.events,
            secret=body.secret,
            description=(body.description or "") if described else None,
            enabled=None if body.status is None else body.status == "active",
        )
        changed = await self._webhooks.change(
            request.actor,
            request.path["webhook_id"],
            wanted,
            client_id=request.verified.client_id,
            precondition=lambda before: request.require_match(self._etag(before)),
        )
        return Json(self._shown(changed), etag=self._etag(changed))

    async def remove(self, request: Request) -> Response:
        await self._webhooks.remove(request.actor, request.path["webhook_id"])
        return NoContent()

    async def deliveries(self, request: Request) -> Response:
        query, webhook_id = request.query, request.path["webhook_id"]
        assert isinstance(query, DeliveryQuery)
        wanted = Filter(status=query.status, kind=query.kind, event=query.event, event_id=query.event_id)
        listing = Listing(
            cursors=self._parts.cursors,
            viewer=request.viewer,
            route=request.route.name,
            filters={**wanted.document(), "webhook_id": webhook_id},
            position=(int,),
        )
        page = await listing.read_page(
            query.cursor,
            query.limit,
            lambda before, count: self._log.page(request.viewer, webhook_id, wanted, before=before, count=count),
            lambda delivery: delivery.position,
        )
        return Json({"deliveries": [shown_delivery(one) for one in page.rows], "next_cursor": page.next_cursor})

    async def test(self, request: Request) -> Response:
        """Queue a test delivery of a webhook."""
        delivery_id = await self._log.test(request.actor, request.path["webhook_id"])
        return Json({"delivery_id": delivery_id, "status": DeliveryStatus.QUEUED.value}, status=202)

    async def replay(self, request: Request) -> Response:
        """Start a replay of deliveries of a webhook."""
        body = request.body
        assert isinstance(body, ReplayWanted)
        replay = await self._log.begin_replay(
            request.actor,
            request.path["webhook_id"],
            delivery_id=body.delivery_id,
            failed_since_us=_moment(body.failed_since),
            since_us=_moment(body.since),
            until_us=_moment(body.until),
        )
        location = f"{self._parts.bases[request.host]}/v1/webhooks/{replay.webhook_id}/replays/{replay.id}"
        return Json(shown_replay(replay), status=202, headers={"Location": location})

    async def inspect_replay(self, request: Request) -> Response:
        found = await self._log.replay(request.viewer, request.path["webhook_id"], request.path["replay_id"])
        return Json(shown_replay(found))

    def _shown(self, subscription: Subscription) -> dict[str, Any]:
        return shown(subscription, self._parts.clock.now_us())

    def _etag(self, subscription: Subscription) -> str:
        """Return a strong entity tag of the webhook's JSON representation."""
        return strong_etag(Json(self._shown(subscription)).body)


def _moment(text: str | None) -> int | None:
    """Return an ISO 8601 time in microseconds since 1970; None stays None. Raises `ReplayMalformed`."""
    try:
        return None if text is None else read_moment(text)
    except MomentMalformed:
        raise ReplayMalformed("(A time reads like 2026-03-24T10:00:00Z.)") from None
