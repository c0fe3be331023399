"""Domain events in a transactional outbox. A worker claims an event with a lease (design D10)."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.foundation.events.errors import LeaseLost
    from cloud.foundation.events.event_type import SECRECY, EventType, count, moment, text, truth, word, words
    from cloud.foundation.events.jobs import SUBSCRIBERS, Subscribers
    from cloud.foundation.events.model import ClaimedEvent, DomainEvent, DomainSearch, NewEvent
    from cloud.foundation.events.relay import Relay
    from cloud.foundation.events.store import Outbox
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, jobs="jobs:jobs", retention="jobs:KINDS", tables="tables")
