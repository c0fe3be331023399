"""Webhooks: an event of the product reaches every endpoint that subscribed to it, signed, in order, at least once."""

from cloud.webhooks import tables
from cloud.webhooks.model import (
    Attempt,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    DisabledReason,
    ErrorCode,
    Subscription,
)

__all__ = [
    "Attempt",
    "Delivery",
    "DeliveryKind",
    "DeliveryStatus",
    "DisabledReason",
    "ErrorCode",
    "Subscription",
    "tables",
]
