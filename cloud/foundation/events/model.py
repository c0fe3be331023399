"""A domain event, and the claim of a worker on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent:
    """A domain event. `payload` holds identifiers and plain facts, never values of a patient.

    Events with the same `tenant_id` and `key` (a device, an encounter) are delivered in the order of `position`.
    """

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
    """An event that one worker has claimed. `lease_token` is the fence: a later claim has a higher one."""

    event: DomainEvent
    lease_token: int
    attempts: int
