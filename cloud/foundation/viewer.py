"""Viewers and actors: the tenant, organisation and clearance of a caller, and its name in the audit trail.

A store takes a `Viewer` and adds `visible(table, viewer)` to its query. A row of another tenant or organisation, or one
above the viewer's clearance, is then not found: foreign equals absent (matrix A-006, A-013, A-121). A service method
that changes something takes an `Actor` and writes the audit entry in the transaction of the change.
"""

from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import ColumnElement, Table

from cloud.foundation.trace import TraceContext


class SecrecyLevel(IntEnum):
    """The grades of matrix A-122, compared by rank. The contract has their names in lower case."""

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
    """The part of a tenant that a caller may read. `organization_id` None: all organisations of the tenant."""

    tenant_id: str
    organization_id: str | None
    clearance: SecrecyLevel = SecrecyLevel.STANDARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor(Viewer):
    """A viewer who changes something, as the audit trail names it.

    `subject` is a user id, a client id, or `operator` for the console. `client_id` is the app in between; None at the
    console. `trace` None: outside of a request.
    """

    subject: str
    client_id: str | None = None
    trace: TraceContext | None = None

    @classmethod
    def operator(cls, tenant_id: str) -> "Actor":
        """Return the actor of the console, who can read the database file anyway and therefore sees all of a tenant."""
        return cls(tenant_id, None, SecrecyLevel.TOP_SECRET, subject="operator")

    @property
    def traceparent(self) -> str | None:
        """The trace for events of this change; None outside of a request."""
        return None if self.trace is None else self.trace.traceparent


def visible(table: Table, viewer: Viewer) -> list[ColumnElement[bool]]:
    """Return the conditions under which this viewer may see a row of `table`, one for each relevant column."""
    conditions: list[ColumnElement[bool]] = [table.c.tenant_id == viewer.tenant_id]
    if viewer.organization_id is not None and "organization_id" in table.c:
        conditions.append(table.c.organization_id == viewer.organization_id)
    if "secrecy_level" in table.c:
        conditions.append(table.c.secrecy_level <= int(viewer.clearance))
    return conditions
