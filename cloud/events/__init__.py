"""Domain events: a transactional outbox with leases and fencing (D10)."""

from cloud.events.errors import LeaseLost
from cloud.events.event_type import EventType
from cloud.events.model import ClaimedEvent, DomainEvent
from cloud.events.relay import Relay, Subscriber
from cloud.events.store import Outbox

__all__ = ["ClaimedEvent", "DomainEvent", "EventType", "LeaseLost", "Outbox", "Relay", "Subscriber"]
