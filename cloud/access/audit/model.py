"""What an audit entry says. It names ids and outcomes; values of patients, keys and tokens have no field here."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How it ended. A refused change is audited where the refusal matters (a key, a seal, a clearance)."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line. `actor` is a user or client id, or `operator` for the console; `client_id` None there.

    `metadata` is what the contract lists for an action, for instance `record_count` of a verification.
    """

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
class Sought:
    """Which entries somebody looks for; a field that is None or empty takes all. `since_us` does not count for a trace,
    which is found by itself however old it is."""

    actor: str | None = None
    action: str | None = None
    object: str | None = None
    trace_id: str | None = None
    since_us: int | None = None
