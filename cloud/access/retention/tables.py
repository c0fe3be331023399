"""Tables of the retention periods that differ from the defaults, of legal holds, and of the size of the database.

A released hold keeps its row.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from cloud.foundation.db import metadata, partial_index

retention_periods = Table(
    "retention_periods",
    metadata,
    Column("tenant_id", Text, ForeignKey("tenants.id"), primary_key=True),
    Column("kind", Text, primary_key=True),  # cloud.foundation.retention.Kind.name
    Column("days", Integer),  # NULL: kept without end
    Column("changed_at_us", BigInteger, nullable=False),
)

retention_holds = Table(
    "retention_holds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("scope", Text, nullable=False),  # cloud.foundation.retention.HoldScope
    Column("object_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("placed_at_us", BigInteger, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("released_at_us", BigInteger),
    Column("released_by", Text),
    Index(None, "tenant_id"),
    # Read for every chunk that is deleted; released holds, which only grow in number, are not in it.
    partial_index(
        "uq_retention_holds_in_force",
        *("tenant_id", "scope", "object_id"),
        unique=True,
        where="released_at_us IS NULL",
    ),
)

storage_days = Table(
    "storage_days",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("size_bytes", BigInteger, nullable=False),  # size of the database without free pages
)
