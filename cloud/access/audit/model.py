"""Data classes of the audit trail. Entries have ids and outcomes, and no field for patient data, keys or tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The result of an audited action. Refusals are audited only where they matter, such as for a password or key."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An audit entry. `actor`: a user id, a client id, or `operator` for a command on the cloud's command line.
    `client_id`: the app; None for a command, "" for a page of the auth host. `metadata`: further fields that the
    contract defines for the action, such as `record_count`."""

    id: int
    tenant_id: str
    organization_id: str | None
    at_us: int
    actor: str
    client_id: str | None
    action: str
    object: str
    outcome: Outcome
    trace_id: str | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """The conditions of a search. A condition that is None or empty accepts every entry. A search by `trace_id` ignores
    `since_us`."""

    actor: str | None = None
    action: str | None = None
    object: str | None = None
    trace_id: str | None = None
    since_us: int | None = None
