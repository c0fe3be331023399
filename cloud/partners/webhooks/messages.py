"""The message that a webhook receiver gets: the public name and data of an event, in an envelope."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from cloud.foundation.events import DomainEvent
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import SecrecyLevel

DISABLED_EVENT = "webhook.disabled"
"""Event to all other endpoints of the tenant, also those that did not subscribe to it, since it needs attention."""
TEST_EVENT = "webhook.test"


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """An event in the form that subscribers receive. It is sent only to endpoints with a clearance of at least
    `secrecy` whose app is approved for `scope`."""

    type: str
    data: Mapping[str, Any]
    secrecy: SecrecyLevel = SecrecyLevel.STANDARD
    scope: str | None = None


class Translate(Protocol):
    """A function that returns the public form of a domain event, or None for an event that is not public."""

    def __call__(self, event: DomainEvent) -> PublicEvent | None: ...


def untranslated(event: DomainEvent) -> PublicEvent:
    """Return an event with its internal name and payload unchanged."""
    return PublicEvent(event.type, event.payload)


def message_body(type: str, at_us: int, data: Mapping[str, Any]) -> str:
    """Return the JSON envelope of Standard Webhooks: `type`, `timestamp`, `data`."""
    return orjson.dumps({"type": type, "timestamp": write_moment(at_us), "data": data}).decode()
