"""The table of the outbox: domain events, stored with the changes that they report and delivered by workers."""

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from cloud.foundation.db import metadata, partial_index, row_number

_PENDING = "done_at_us IS NULL AND parked_at_us IS NULL"

outbox_events = Table(
    "outbox_events",
    metadata,
    Column("position", row_number(), primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("organization_id", Text),
    Column("key", Text, nullable=False),  # events of one (tenant, key) are delivered in order
    Column("payload", Text, nullable=False),  # JSON
    Column("traceparent", Text),
    Column("at_us", BigInteger, nullable=False),
    Column("available_at_us", BigInteger, nullable=False),  # not delivered before; moves with each failed attempt
    Column("lease_until_us", BigInteger),
    Column("lease_token", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("done_at_us", BigInteger),
    Column("parked_at_us", BigInteger),  # no more attempts; an operator must look at it
    partial_index("ix_outbox_events_pending", "tenant_id", "key", "position", where=_PENDING).ddl_if(
        dialect="postgresql"
    ),
    # By the key first: the keys of new events mostly follow one another, so a commit writes few pages of the index.
    partial_index("ix_outbox_events_pending_key", "key", "tenant_id", "position", where=_PENDING).ddl_if(
        dialect="sqlite"
    ),
    partial_index("ix_outbox_events_due", "available_at_us", "position", where=_PENDING),
    # Pending events are not in these indexes: PostgreSQL would read all of them in search of the few due ones.
    partial_index("ix_outbox_events_done", "done_at_us", where="done_at_us IS NOT NULL"),
    partial_index("ix_outbox_events_parked", "parked_at_us", where="parked_at_us IS NOT NULL"),
)
