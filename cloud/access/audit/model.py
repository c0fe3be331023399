"""The values of the audit trail. Entries name ids and outcomes; they have no field for patient data, keys or tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The result of an action. A refusal is audited where it matters (a password, a key, a seal, a clearance)."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry. `actor` is a user or client id, or `operator` for the console, where `client_id` is None.

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
class AuditFilter:
    """The conditions of a search; a field that is None or empty matches every entry. `since_us` does not apply to a
    search by trace id, which finds entries of any age."""

    actor: str | None = None
    action: str | None = None
    object: str | None = None
    trace_id: str | None = None
    since_us: int | None = None
