"""Table of the audit trail. Rows are inserted, never changed, and deleted after their retention."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Table, Text

from cloud.foundation.db import metadata, partial_index, row_number

FREQUENT_ACTION = "observation.post"
"""The action of nearly all entries of a busy tenant. The index of actions excludes it, so that a post does not maintain
that index; a search for this action finds enough entries in the order of time."""


audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", row_number(), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("organization_id", Text),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("client_id", Text),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("trace_id", Text),
    Column("metadata", Text, nullable=False),
    CheckConstraint("outcome IN ('done', 'refused')", name="outcome"),
    Index(None, "tenant_id", "at_us"),
    Index(None, "tenant_id", "actor", "at_us"),
    Index(None, "tenant_id", "object", "at_us"),
    partial_index(
        "ix_audit_entries_rare_action", "tenant_id", "action", "at_us", where=f"action <> '{FREQUENT_ACTION}'"
    ),
    Index(None, "trace_id"),  # the first search of support: all changes of one request
)
