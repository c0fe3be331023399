"""Viewers and actors: which rows a caller may read, and how the audit trail names a caller who changes something.

A store takes a `Viewer` and adds `visible(table, viewer)` to its query. So a row of another tenant, of another
organisation, or above the viewer's clearance is not found: foreign equals absent (contract matrix A-006, A-013, A-121).
A service method that changes something takes an `Actor`, and writes the audit entry in the same transaction.
"""

from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import ColumnElement, Table

from cloud.foundation.trace import TraceContext


class SecrecyLevel(IntEnum):
    """The levels of secrecy of a record (contract matrix A-122), compared by rank.

    The contract has their names in lower case.
    """

    STANDARD = 0
    RESTRICTED = 1
    CONFIDENTIAL = 2
    SECRET = 3
    TOP_SECRET = 4

    @property
    def word(self) -> str:
        """The level's name in the contract: `standard` … `top_secret`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Viewer:
    """The rows that a caller may read: of one tenant, one organisation, and up to one secrecy level.

    `organization_id` None means all organisations of the tenant.
    """

    tenant_id: str
    organization_id: str | None
    clearance: SecrecyLevel = SecrecyLevel.STANDARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor(Viewer):
    """A caller who changes something, as the audit trail records it.

    `subject` is a user id, a client id, or `operator` for the console. `client_id` is the app that sent the request,
    None for the console. `trace` is None outside of a request.
    """

    subject: str
    client_id: str | None = None
    trace: TraceContext | None = None

    @classmethod
    def operator(cls, tenant_id: str) -> "Actor":
        """Return the operator at the console as an actor of this tenant, who sees all of it.

        A person at the console can read the database file anyway.
        """
        return cls(tenant_id, None, SecrecyLevel.TOP_SECRET, subject="operator")

    @property
    def traceparent(self) -> str | None:
        """The `traceparent` that events of this change carry; None outside of a request."""
        return None if self.trace is None else self.trace.traceparent


def visible(table: Table, viewer: Viewer) -> list[ColumnElement[bool]]:
    """Return the conditions, joined by AND, under which `viewer` may read a row of `table`.

    There is one condition for each of tenant, organisation and secrecy level that applies to the table and the viewer.
    """
    conditions: list[ColumnElement[bool]] = [table.c.tenant_id == viewer.tenant_id]
    if viewer.organization_id is not None and "organization_id" in table.c:
        conditions.append(table.c.organization_id == viewer.organization_id)
    if "secrecy_level" in table.c:
        conditions.append(table.c.secrecy_level <= int(viewer.clearance))
    return conditions
