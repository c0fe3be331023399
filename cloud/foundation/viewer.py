"""Who is looking: the tenant, the organisation and the clearance that every store signature asks for.

A store gets a `Viewer` and adds `visible(table, viewer)` to its query, so that what belongs to somebody else, or lies
above the viewer's clearance, is not there: foreign equals absent (matrix A-006, A-013, A-121).
"""

from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import ColumnElement, Table


class SecrecyLevel(IntEnum):
    """The grades of matrix A-122, compared by rank. The name in lower case is the contract's word."""

    STANDARD = 0
    RESTRICTED = 1
    CONFIDENTIAL = 2
    SECRET = 3
    TOP_SECRET = 4

    @property
    def word(self) -> str:
        """As the contract writes it: `standard` … `top_secret`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who looks. `organization_id` is None for the operator at the console, who sees all of a tenant."""

    tenant_id: str
    organization_id: str | None
    clearance: SecrecyLevel = SecrecyLevel.STANDARD

    @classmethod
    def operator(cls, tenant_id: str) -> "Viewer":
        """The person with a shell on the machine, who could read the database file anyway."""
        return cls(tenant_id, None, SecrecyLevel.TOP_SECRET)


def visible(table: Table, viewer: Viewer) -> list[ColumnElement[bool]]:
    """The conditions under which a row of `table` exists for this viewer; one for each of the columns that it has."""
    conditions: list[ColumnElement[bool]] = [table.c.tenant_id == viewer.tenant_id]
    if viewer.organization_id is not None and "organization_id" in table.c:
        conditions.append(table.c.organization_id == viewer.organization_id)
    if "secrecy_level" in table.c:
        conditions.append(table.c.secrecy_level <= int(viewer.clearance))
    return conditions
