"""Webhooks: an event of the product reaches every endpoint that subscribed to it, signed, in order, at least once."""

from cloud.partners.webhooks.delivery_store import DeliveryStore, NewDelivery
from cloud.partners.webhooks.endpoint_store import Endpoint, EndpointStore
from cloud.partners.webhooks.errors import SecretMalformed, WebhookKeyTooFresh
from cloud.partners.webhooks.fan_out import FanOut
from cloud.partners.webhooks.keys import WebhookKey, WebhookKeys
from cloud.partners.webhooks.messages import DISABLED_EVENT, TEST_EVENT, PublicEvent, Translate, message_body
from cloud.partners.webhooks.model import (
    Attempt,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    DisabledReason,
    ErrorCode,
    Subscription,
)
from cloud.partners.webhooks.running import allow_list, chores, make_judge, make_worker, subscribers, watches
from cloud.partners.webhooks.settling import Settling
from cloud.partners.webhooks.signing import new_secret, secret_key
from cloud.partners.webhooks.waiting import webhooks_sampler
from cloud.partners.webhooks.worker import DeliveryWorker

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
