"""Routes of webhooks on the auth host (C-074…C-094), and of replays, which the contract does not have."""

from typing import Any

from cloud.foundation.http import Host, Parts, RateClass, Route, Scopes
from cloud.partners.webhooks.handlers import WebhookHandlers
from cloud.partners.webhooks.running import judge_of
from cloud.partners.webhooks.schemas import (
    DeliveryPage,
    DeliveryQuery,
    QueuedTest,
    ReplayShown,
    ReplayWanted,
    WebhookChange,
    WebhookCreated,
    WebhookPage,
    WebhookQuery,
    WebhookShown,
    WebhookWanted,
)

READ = Scopes.any_of("webhooks:read", "webhooks:write")
WRITE = Scopes.any_of("webhooks:write")

WEBHOOKS, WEBHOOK = "/v1/webhooks", "/v1/webhooks/{webhook_id}"
_ABSENT = "Webhook not found."
_REFUSED = {
    400: "The body is invalid, an event is unknown, or the secret is too short.",
    403: "The app is not approved for an event (`event_not_approved` lists them in `events`), or its governance does "
    "not allow this host.",
    422: "Deliveries to this address are not allowed.",
}
_SAMPLE = {
    "id": "wh_123",
    "url": "https://integrator.example/webhooks/argus",
    "events": ["incident.updated"],
    "description": None,
    "status": "active",
    "disabled_reason": None,
    "disabled_at": None,
    "failing_since": None,
    "previous_secret_expires_at": None,
    "client_id": "app_123",
    "organization_id": "org_1",
    "created_at": "2026-03-23T11:00:00.000000Z",
    "updated_at": "2026-03-23T11:00:00.000000Z",
}
_ATTEMPT = {
    "attempted_at": "2026-03-23T12:00:00Z",
    "duration_ms": 84,
    "response_status": 200,
    "error_code": None,
}
_DELIVERIES = {
    "deliveries": [
        {
            "id": "dlv_123",
            "status": "succeeded",
            "kind": "event",
            "event": "incident.updated",
            "event_id": "evt_123",
            "replay_id": None,
            "created_at": "2026-03-23T12:00:00Z",
            "attempt": 1,
            **_ATTEMPT,
            "next_attempt_at": None,
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "attempts": [{"number": 1, **_ATTEMPT, "response_head": "ok"}],
        }
    ],
    "next_cursor": None,
}


def routes(parts: Parts) -> tuple[Route, ...]:
    h = WebhookHandlers(parts, parts.shared(judge_of))
    return (*_subscriptions(h), *_one(h), *_sent(h), *_replays(h))


def _row(**facts: Any) -> Route:
    return Route(**{"host": Host.AUTH, "tag": "Webhooks", "added_in": "v2026.4", "scopes": WRITE, **facts})


def _subscriptions(h: WebhookHandlers) -> tuple[Route, ...]:
    return (
        _row(
            method="POST",
            path=WEBHOOKS,
            handler=h.create,
            rate_class=RateClass.WRITE,
            body=WebhookWanted,
            response=WebhookCreated,
            responses={
                201: "The webhook, with its secret if none was sent. The secret is shown only once.",
                **_REFUSED,
                409: "The app has the maximum number of webhooks.",
            },
            errors=(
                "invalid_events",
                "webhook_secret_malformed",
                "url_malformed",
                "event_not_approved",
                "webhook_host_not_allowed",
                "blocked_url",
                "description_malformed",
                "too_many_webhooks",
            ),
            operation_id="createWebhook",
            summary="Create a webhook",
            description="Subscribes a URL to events that the app is approved for. Deliveries are signed as Standard "
            "Webhooks specifies and delivered at least once: use `webhook-id` to detect duplicates.",
            request_example={
                "url": "https://integrator.example/webhooks/argus",
                "events": ["incident.updated"],
                "secret": "<signing-secret>",
            },
            response_example=_SAMPLE,
        ),
        _row(
            method="GET",
            path=WEBHOOKS,
            handler=h.list,
            scopes=READ,
            query=WebhookQuery,
            response=WebhookPage,
            responses={200: "A page of webhooks, oldest first."},
            operation_id="listWebhooks",
            summary="List webhooks",
            description="The webhooks of the caller's tenant, or of its organisation if the app has one.",
            response_example={"webhooks": [_SAMPLE], "next_cursor": None},
        ),
    )


def _one(h: WebhookHandlers) -> tuple[Route, ...]:
    return (
        _row(
            method="GET",
            path=WEBHOOK,
            handler=h.inspect,
            scopes=READ,
            response=WebhookShown,
            responses={200: "The webhook, without its secret.", 304: "Not modified.", 404: _ABSENT},
            errors=("webhook_unknown",),
            operation_id="inspectWebhook",
            summary="Inspect a webhook",
            description="URL, events and delivery status.",
            response_example=_SAMPLE,
        ),
        _row(
            method="PUT",
            path=WEBHOOK,
            handler=h.change,
            rate_class=RateClass.WRITE,
            body=WebhookChange,
            response=WebhookShown,
            responses={
                200: "The webhook after the change.",
                **_REFUSED,
                404: _ABSENT,
                412: "The webhook has changed since the version in If-Match.",
            },
            errors=(
                "invalid_events",
                "webhook_secret_malformed",
                "url_malformed",
                "event_not_approved",
                "webhook_host_not_allowed",
                "blocked_url",
                "description_malformed",
                "webhook_unknown",
            ),
            operation_id="updateWebhook",
            summary="Update a webhook",
            description="Changes the fields that are sent and keeps the others, the id and the history. A new `secret` "
            "signs at once, together with the previous one for 24 hours. Repeating the request changes nothing.",
            request_example={"events": ["incident.updated", "incident.closed"]},
            response_example=_SAMPLE | {"events": ["incident.updated", "incident.closed"]},
        ),
        _row(
            method="DELETE",
            path=WEBHOOK,
            handler=h.remove,
            rate_class=RateClass.WRITE,
            responses={204: "The webhook is deleted and its pending deliveries are discarded.", 404: _ABSENT},
            errors=("webhook_unknown",),
            operation_id="deleteWebhook",
            summary="Delete a webhook",
            description="Ends the subscription. Repeating returns 404.",
        ),
    )


def _sent(h: WebhookHandlers) -> tuple[Route, ...]:
    return (
        _row(
            method="GET",
            path=f"{WEBHOOK}/deliveries",
            handler=h.deliveries,
            scopes=READ,
            query=DeliveryQuery,
            response=DeliveryPage,
            responses={200: "A page of deliveries with their attempts, newest first.", 404: _ABSENT},
            errors=("webhook_unknown",),
            operation_id="listWebhookDeliveries",
            summary="Review delivery attempts",
            description="Deliveries of the last 30 days with their attempts, error codes and the time of the "
            "next retry.",
            response_example=_DELIVERIES,
        ),
        _row(
            method="POST",
            path=f"{WEBHOOK}/test",
            handler=h.test,
            rate_class=RateClass.TEST,
            response=QueuedTest,
            responses={
                202: "The test is queued. Its status is in the deliveries.",
                404: _ABSENT,
                429: "Tests of this webhook are pending, or the rate limit is reached.",
            },
            errors=("webhook_unknown", "too_many_tests"),
            operation_id="testWebhook",
            summary="Send a test webhook",
            description="Sends `webhook.test`, signed like every delivery, also to a disabled webhook. There is one "
            "attempt, and it does not count as a failure.",
            response_example={"delivery_id": "dlv_test_123", "status": "queued"},
        ),
    )


def _replays(h: WebhookHandlers) -> tuple[Route, ...]:
    shown = {
        "replay_id": "rpl_123",
        "mode": "failed",
        "status": "done",
        "queued": 3,
        "since": "2026-03-23T12:00:00.000000Z",
        "until": None,
        "created_at": "2026-03-24T09:00:00.000000Z",
        "done_at": "2026-03-24T09:00:00.000000Z",
    }
    return (
        _row(
            method="POST",
            path=f"{WEBHOOK}/replays",
            handler=h.replay,
            rate_class=RateClass.TEST,
            body=ReplayWanted,
            response=ReplayShown,
            responses={
                202: "The deliveries are being queued. Location has the progress.",
                400: "The body has none or several of the three forms.",
                404: "Webhook or delivery not found.",
                409: "The webhook is disabled, the delivery is pending, or another replay is running.",
            },
            operation_id="replayWebhook",
            summary="Replay deliveries",
            description="Replays one delivery, all failed ones since a time, or all of a range, with their "
            "original ids.",
            request_example={"failed_since": "2026-03-23T12:00:00Z"},
            response_example=shown,
            in_contract=False,
        ),
        _row(
            method="GET",
            path=f"{WEBHOOK}/replays/{{replay_id}}",
            handler=h.inspect_replay,
            scopes=READ,
            response=ReplayShown,
            responses={200: "The progress.", 404: "Webhook or replay not found."},
            operation_id="inspectWebhookReplay",
            summary="Follow a replay",
            response_example=shown,
            in_contract=False,
        ),
    )
