"""Viewers and actors: the rows that a caller may read, and the caller in the audit trail.

A store adds `visible(table, viewer)` to its query, so a row that the caller may not read is not found (contract matrix
A-006, A-013, A-121). A service that changes something takes an `Actor`, and writes the audit entry in the same
transaction.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from sqlalchemy import ColumnElement, Table

from cloud.foundation.trace import TraceContext

SecrecyWord = Literal["standard", "restricted", "confidential", "secret", "top_secret"]
"""The name of a level of secrecy in the contract."""


class SecrecyLevel(IntEnum):
    """The levels of secrecy of a record (contract matrix A-122), compared by rank."""

    STANDARD = 0
    RESTRICTED = 1
    CONFIDENTIAL = 2
    SECRET = 3
    TOP_SECRET = 4

    @property
    def word(self) -> str:
        """The level's name in the contract: `standard` … `top_secret`."""
        return _WORDS[self]

    @classmethod
    def of(cls, word: SecrecyWord) -> "SecrecyLevel":
        """Return the level with this name in the contract."""
        return cls[word.upper()]


_WORDS = {level: level.name.lower() for level in SecrecyLevel}


@dataclass(frozen=True, slots=True)
class Viewer:
    """The rows that a caller may read: of one tenant, one organisation (None: all), and up to one secrecy level."""

    tenant_id: str
    organization_id: str | None
    clearance: SecrecyLevel = SecrecyLevel.STANDARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor(Viewer):
    """A caller who changes something, for the audit trail. `subject` is the id of a user, an app or a schedule, or
    `operator` for the console. `client_id` is the app, None for the console. `trace` is None outside of a request."""

    subject: str
    client_id: str | None = None
    trace: TraceContext | None = None

    @classmethod
    def operator(cls, tenant_id: str) -> "Actor":
        """Return the operator at the console, who may see the whole tenant (and can read the database file anyway)."""
        return cls(tenant_id, None, SecrecyLevel.TOP_SECRET, subject="operator")

    @property
    def traceparent(self) -> str | None:
        """The `traceparent` that events of this actor's change carry; None for a change outside of a request."""
        return None if self.trace is None else self.trace.traceparent


def visible(table: Table, viewer: Viewer) -> list[ColumnElement[bool]]:
    """Return the conditions, joined by AND, under which `viewer` may read a row of `table`. Organisation and secrecy
    level are conditions only if the table has such a column."""
    conditions: list[ColumnElement[bool]] = [table.c.tenant_id == viewer.tenant_id]
    if viewer.organization_id is not None and "organization_id" in table.c:
        conditions.append(table.c.organization_id == viewer.organization_id)
    if "secrecy_level" in table.c:
        conditions.append(table.c.secrecy_level <= int(viewer.clearance))
    return conditions
