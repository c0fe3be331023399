"""Webhooks: deliver every event to each subscribed endpoint, signed, in order, at least once."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import IdKind, Scope, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.partners.webhooks.backlog import webhooks_sampler
    from cloud.partners.webhooks.callbacks import CallbackQueue
    from cloud.partners.webhooks.catalogue import EVENTS, message_sample
    from cloud.partners.webhooks.delivery_store import DeliveryStore, NewDelivery
    from cloud.partners.webhooks.errors import SecretMalformed, WebhookHostNotAllowed, WebhookKeyTooFresh
    from cloud.partners.webhooks.fan_out import FanOut
    from cloud.partners.webhooks.keys import WebhookKeys
    from cloud.partners.webhooks.log import DeliveryLog
    from cloud.partners.webhooks.log_store import Filter, Logged
    from cloud.partners.webhooks.model import DeliveryKind, DeliveryStatus, ErrorCode, Subscription
    from cloud.partners.webhooks.replay_store import ReplayMode
    from cloud.partners.webhooks.running import callback_queue, judge_of, subscribers_of
    from cloud.partners.webhooks.service import Judge, Webhooks
    from cloud.partners.webhooks.settling import Settling
    from cloud.partners.webhooks.signing import new_secret, secret_key
    from cloud.partners.webhooks.worker import DeliveryWorker
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    ids={"webhook": IdKind("webhook", "webhook_subscriptions")},
    events="event_types:EVENTS",
    scopes=(
        Scope(
            "webhooks:read",
            "List outbound webhook subscriptions and their deliveries",
            "Przeglądanie subskrypcji webhooków i ich dostarczeń",
        ),
        Scope(
            "webhooks:write",
            "Create and update outbound webhook subscriptions",
            "Tworzenie i zmiana subskrypcji webhooków",
            "webhooks:read",
        ),
    ),
    tags={"Webhooks": "Subscriptions to events and the status of each delivery."},
    jobs="running:jobs",
    retention="retention:KINDS",
    tables="tables",
    routes=("routes:routes", "key_routes:key_routes"),
    commands={"webhooks": "cli:webhooks"},
)
