"""The outbox: domain events, written in the transaction of the change they tell of, and handed on by workers.

`position` orders them. `lease_token` rises with every claim, so that a worker whose lease ran out cannot settle what
another has taken over.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from cloud.foundation.db import metadata, row_number

_PENDING = text("done_at_us IS NULL AND parked_at_us IS NULL")
_DONE = text("done_at_us IS NOT NULL")
_PARKED = text("parked_at_us IS NOT NULL")

outbox_events = Table(
    "outbox_events",
    metadata,
    Column("position", row_number(), primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("organization_id", Text),
    Column("key", Text, nullable=False),  # events of one (tenant, key) are handed on in order
    Column("payload", Text, nullable=False),  # JSON
    Column("traceparent", Text),
    Column("at_us", BigInteger, nullable=False),
    Column("available_at_us", BigInteger, nullable=False),  # not handed on before; moves with each failed attempt
    Column("lease_until_us", BigInteger),
    Column("lease_token", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("done_at_us", BigInteger),
    Column("parked_at_us", BigInteger),  # given up after too many attempts; a person must look
    Index(
        "ix_outbox_events_pending",
        "tenant_id",
        "key",
        "position",
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    ),
    Index("ix_outbox_events_due", "available_at_us", "position", sqlite_where=_PENDING, postgresql_where=_PENDING),
    # Not of the others: PostgreSQL would take a way through all that wait for a way to the few that do.
    Index("ix_outbox_events_done", "done_at_us", sqlite_where=_DONE, postgresql_where=_DONE),
    Index("ix_outbox_events_parked", "parked_at_us", sqlite_where=_PARKED, postgresql_where=_PARKED),
)
