"""The event catalogue: the events that subscriptions may name, their scopes and their messages.

The catalogue has every event with a scope from the `event_types.py` of all slices. An event without a scope (such as
those of assignments and of gateways' batches) never leaves the product.
"""

from collections.abc import Iterable, Sequence

from cloud.access.apps import effective
from cloud.foundation.errors import Mistake
from cloud.foundation.events import SECRECY, DomainEvent, EventType
from cloud.foundation.slice import declared
from cloud.foundation.suggestions import closest, mention
from cloud.foundation.viewer import SecrecyLevel
from cloud.partners.webhooks.errors import EventNotApproved, EventsMalformed
from cloud.partners.webhooks.messages import PublicEvent, message_body

EVENTS: tuple[EventType, ...] = tuple(
    event for one in declared() if one.events is not None for event in one.load(one.events) if event.scope is not None
)
"""The events, in the order in which integrators see them."""

EVENTS_MAX = 100
"""Names in one subscription: more than the catalogue will ever have, so a longer list is a mistake."""

_BY_NAME = {one.name: one for one in EVENTS}
_LEVELS = {level.word: level for level in SecrecyLevel}
_SAMPLE_AT_US = 1_774_267_200_000_000  # 2026-03-23T12:00:00Z, as in the contract's samples


def public_event(event: DomainEvent) -> PublicEvent | None:
    """Return the form of a domain event that webhook receivers get, or None if the event is not in the catalogue of
    public events. Implements `Translate`."""
    found = _BY_NAME.get(event.type)
    if found is None or found.scope is None:
        return None
    secrecy = _LEVELS[event.payload.get(SECRECY, SecrecyLevel.STANDARD.word)]
    return PublicEvent(found.name, found.public_payload(event.payload), secrecy, found.scope)


def known_events(names: Sequence[str]) -> tuple[str, ...]:
    """Return the requested event names, each once, in catalogue order. Raises `EventsMalformed` for an empty list, for
    more than 100 names and for an unknown name."""
    if not 0 < len(names) <= EVENTS_MAX:
        raise EventsMalformed(f"(Give 1 to {EVENTS_MAX}.)")
    for place, name in enumerate(names):
        if name not in _BY_NAME:
            near = closest(name, _BY_NAME)
            text = f"The event{mention(name, near)} is unknown."
            raise EventsMalformed(text, mistakes=[Mistake(text, f"/events/{place}", did_you_mean=near)])
    return in_order(set(names))


def check_approved(events: Iterable[str], approved: Iterable[str]) -> None:
    """Raise `EventNotApproved` with the names of the events that the approved scopes do not cover."""
    holding = effective(approved)
    refused = [name for name in events if name in _BY_NAME and _BY_NAME[name].scope not in holding]
    if refused:
        raise EventNotApproved(refused)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort event names in the order of the catalogue. Names that the catalogue no longer has come last."""
    places = list(_BY_NAME)
    return tuple(sorted(names, key=lambda name: (places.index(name) if name in _BY_NAME else len(places), name)))


def message_sample(one: EventType) -> str:
    """Return the sample message of an event type as a receiver gets it, envelope included."""
    return message_body(one.name, _SAMPLE_AT_US, one.sample)
