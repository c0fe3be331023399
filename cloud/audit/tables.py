"""The audit trail: rows are added and, after their retention, swept; nothing changes one."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Table, Text

from cloud.db import metadata
from cloud.db.metadata import row_number

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
    Index(None, "trace_id"),  # what support asks for first: everything that one request did
)
