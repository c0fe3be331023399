"""Domain events: a transactional outbox with leases and fencing (D10)."""

from cloud.foundation.events.errors import LeaseLost
from cloud.foundation.events.event_type import EventType
from cloud.foundation.events.model import ClaimedEvent, DomainEvent
from cloud.foundation.events.relay import Relay, Subscriber
from cloud.foundation.events.store import Outbox

__all__ = ["ClaimedEvent", "DomainEvent", "EventType", "LeaseLost", "Outbox", "Relay", "Subscriber"]
