"""The JSON form of webhooks, deliveries and replays, without secrets, for HTTP, the command line and web pages."""

from typing import Any

from cloud.foundation.moments import write_moment
from cloud.partners.webhooks.log_store import Logged
from cloud.partners.webhooks.model import Attempt, Subscription
from cloud.partners.webhooks.replay_store import Replay


def shown(subscription: Subscription, now_us: int) -> dict[str, Any]:
    """Return the JSON form of a webhook. `now_us` decides whether its previous secret is still valid."""
    until_us, reason = subscription.previous_secret_expires_at_us, subscription.disabled_reason
    return {
        "id": subscription.id,
        "url": subscription.url,
        "events": list(subscription.events),
        "description": subscription.description,
        "status": "active" if subscription.disabled_at_us is None else "disabled",
        "disabled_reason": None if reason is None else reason.value,
        "disabled_at": write_moment(subscription.disabled_at_us),
        "failing_since": write_moment(subscription.failing_since_us),
        "previous_secret_expires_at": write_moment(until_us if until_us is not None and until_us > now_us else None),
        "client_id": subscription.client_id,
        "organization_id": subscription.organization_id,
        "created_at": write_moment(subscription.created_at_us),
        "updated_at": write_moment(subscription.updated_at_us),
    }


def shown_delivery(logged: Logged) -> dict[str, Any]:
    one = logged.delivery
    return {
        "id": one.id,
        "status": one.status.value,
        "kind": one.kind.value,
        "event": one.event,
        "event_id": one.event_id,
        "replay_id": one.replay_id,
        "created_at": write_moment(one.created_at_us),
        "attempt": one.attempts,
        "attempted_at": write_moment(one.attempted_at_us),
        "duration_ms": one.duration_ms,
        "response_status": one.response_status,
        "error_code": None if one.error_code is None else one.error_code.value,
        "next_attempt_at": write_moment(one.next_attempt_at_us),
        "trace_id": None if one.traceparent is None else one.traceparent.split("-")[1],
        "attempts": [_shown_attempt(attempt) for attempt in logged.attempts],
    }


def _shown_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "attempted_at": write_moment(attempt.attempted_at_us),
        "duration_ms": attempt.duration_ms,
        "response_status": attempt.response_status,
        "error_code": None if attempt.error_code is None else attempt.error_code.value,
        "response_head": attempt.response_head,
    }


def shown_replay(replay: Replay) -> dict[str, Any]:
    return {
        "replay_id": replay.id,
        "mode": replay.mode.value,
        "status": "running" if replay.done_at_us is None else "done",
        "queued": replay.queued,
        "since": write_moment(replay.from_us),
        "until": write_moment(replay.to_us),
        "created_at": write_moment(replay.created_at_us),
        "done_at": write_moment(replay.done_at_us),
    }
