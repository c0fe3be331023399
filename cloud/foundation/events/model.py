"""A domain event, new or stored, and a worker's claim on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Owner(Protocol):
    """The tenant and organisation that an event belongs to. If `organization_id` is None, the event belongs to the
    whole tenant."""

    @property
    def tenant_id(self) -> str: ...
    @property
    def organization_id(self) -> str | None: ...


@dataclass(slots=True)
class NewEvent:
    """An event to emit: the arguments of `Outbox.emit`. No code changes it. The class is not frozen, since each job and
    each batch of a gateway makes one, and the constructor of a frozen class takes three times as long."""

    event_type: str
    owner: Owner
    key: str
    payload: Mapping[str, Any]
    at_us: int
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent:
    """A fact that a slice reports to its subscribers. `payload` never has values of a patient. Events of one tenant
    with the same `key` (the id of a device or an encounter) are delivered in the order of `position`."""

    position: int
    id: str
    type: str
    tenant_id: str
    organization_id: str | None
    key: str
    payload: Mapping[str, Any]
    at_us: int
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event that one worker has claimed. `lease_token` is higher in each later claim, so the worker of an earlier
    claim cannot complete the event. `attempts` is the number of claims, this one included."""

    event: DomainEvent
    lease_token: int
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSearch:
    """The wanted domain events: at most `limit`, with one of these keys and types, from `since_us` to before
    `until_us`. `types` has names of events or their first parts (`device`). Empty: all."""

    limit: int
    keys: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    since_us: int | None = None
    until_us: int | None = None
