"""Webhooks: an event of the product reaches every endpoint that subscribed to it, signed, in order, at least once."""

from cloud.webhooks.delivery_store import DeliveryStore, NewDelivery
from cloud.webhooks.endpoint_store import Endpoint, EndpointStore
from cloud.webhooks.errors import SecretMalformed, WebhookKeyTooFresh
from cloud.webhooks.fan_out import FanOut
from cloud.webhooks.keys import WebhookKey, WebhookKeys
from cloud.webhooks.messages import DISABLED_EVENT, TEST_EVENT, PublicEvent, Translate, message_body
from cloud.webhooks.model import (
    Attempt,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    DisabledReason,
    ErrorCode,
    Subscription,
)
from cloud.webhooks.running import allow_list, chores, make_judge, make_worker, subscribers, watches
from cloud.webhooks.settling import Settling
from cloud.webhooks.signing import new_secret, secret_key
from cloud.webhooks.waiting import webhooks_sampler
from cloud.webhooks.worker import DeliveryWorker

__all__ = [
    "DISABLED_EVENT",
    "TEST_EVENT",
    "Attempt",
    "Delivery",
    "DeliveryKind",
    "DeliveryStatus",
    "DeliveryStore",
    "DeliveryWorker",
    "DisabledReason",
    "Endpoint",
    "EndpointStore",
    "ErrorCode",
    "FanOut",
    "NewDelivery",
    "PublicEvent",
    "SecretMalformed",
    "Settling",
    "Subscription",
    "Translate",
    "WebhookKey",
    "WebhookKeyTooFresh",
    "WebhookKeys",
    "allow_list",
    "chores",
    "make_judge",
    "make_worker",
    "message_body",
    "new_secret",
    "secret_key",
    "subscribers",
    "watches",
    "webhooks_sampler",
]
