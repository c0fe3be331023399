"""What a receiver is sent for an event: its public name, the envelope, and which events become public at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from cloud.foundation.events import DomainEvent
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import SecrecyLevel

DISABLED_EVENT = "webhook.disabled"
"""Told to the tenant's other endpoints, whether they subscribed to it or not: somebody should look."""
TEST_EVENT = "webhook.test"


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """An event as subscribers know it. Endpoints below `secrecy` do not hear of it, nor do apps that are not approved
    for `scope` any more."""

    type: str
    data: Mapping[str, Any]
    secrecy: SecrecyLevel = SecrecyLevel.STANDARD
    scope: str | None = None


class Translate(Protocol):
    """Which domain events are public, and what is said of them."""

    def __call__(self, event: DomainEvent) -> PublicEvent | None: ...


def as_it_is(event: DomainEvent) -> PublicEvent:
    """Under its own name, with its own payload."""
    return PublicEvent(event.type, event.payload)


def message_body(type: str, at_us: int, data: Mapping[str, Any]) -> str:
    """The envelope of Standard Webhooks: `type`, `timestamp`, `data`."""
    return orjson.dumps({"type": type, "timestamp": write_moment(at_us), "data": data}).decode()
