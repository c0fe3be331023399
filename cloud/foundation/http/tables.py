"""The tables of the HTTP layer: idempotency keys of the last 24 h, and shared rate limits."""

from sqlalchemy import DDL, BigInteger, Column, Float, Index, Integer, LargeBinary, Table, Text, event

from cloud.foundation.db import metadata

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer),  # null while the change is being made: never seen outside its transaction
    Column("headers", Text),
    Column("media_type", Text),
    Column("body", LargeBinary),
    Column("expires_at_us", BigInteger, nullable=False),
    Index(None, "expires_at_us"),
)

rate_buckets = Table(
    "rate_buckets",
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # of the limit's name and its client, so that no address is stored
    Column("quota", Float, nullable=False),
    Column("window_us", BigInteger, nullable=False),
    Column("level", Float, nullable=False),  # below 0 when the processes together admitted more than the quota
    Column("at_us", BigInteger, nullable=False),
    Index(None, "at_us"),
)
# Its content may be lost in a crash: then every bucket is full again, as after the restart of a single process.
_UNLOGGED = DDL("ALTER TABLE rate_buckets SET UNLOGGED")  # type: ignore[no-untyped-call]  # SQLAlchemy types it not yet
event.listen(rate_buckets, "after_create", _UNLOGGED.execute_if(dialect="postgresql"))
