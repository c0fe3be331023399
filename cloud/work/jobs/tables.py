"""The table of jobs.

A job that can be claimed has a `due_at_us`, and a claimed one a `lease_until_us`, never both. So the index of a claim
has only the rows that can be claimed, and the index of leases only those that a worker has now.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from cloud.foundation.db import metadata, partial_index

NO_PAYLOAD = "{}"
"""The payload of a job whose payload was deleted. It is not null, so that the release before can read the row."""
ENDED_WITH_PAYLOAD = "ix_jobs_ended_with_payload"
"""The index of the payloads to delete, which a large table may lack."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("organization_id", Text),  # null: the job reads and changes data of every organisation of the tenant
    Column("client_id", Text),  # null: the operator enqueued it at the console
    Column("subject", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),  # NO_PAYLOAD when it was deleted
    Column("secrecy_level", Integer, nullable=False),  # the job reads no data above this level
    Column("callback_url", Text),
    Column("trace_id", Text, nullable=False),
    Column("traceparent", Text),
    Column("status", Text, nullable=False),
    Column("progress_pct", Integer, nullable=False),
    Column("state", Text),  # where the next step continues; null before the first one, and after the end
    Column("created_at_us", BigInteger, nullable=False),
    Column("started_at_us", BigInteger),
    Column("updated_at_us", BigInteger, nullable=False),
    Column("completed_at_us", BigInteger),
    Column("due_at_us", BigInteger),
    Column("lease_until_us", BigInteger),
    Column("lease_token", BigInteger, nullable=False),  # fencing token: increases with every claim
    Column("attempts", Integer, nullable=False),  # claims since the state was stored last
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_retryable", Boolean),
    Column("result_object", Text),  # null without a result, and after its retention
    Column("result_media_type", Text),
    Column("result_bytes", BigInteger),
    Column("result_expires_at_us", BigInteger),  # stays when the result is deleted
    Index("ix_jobs_tenant_id_created_at_us", "tenant_id", "created_at_us", "id"),
    partial_index("ix_jobs_due", "tenant_id", "due_at_us", "id", where="due_at_us IS NOT NULL"),
    partial_index("ix_jobs_leased", "tenant_id", "lease_until_us", where="lease_until_us IS NOT NULL"),
    partial_index(
        ENDED_WITH_PAYLOAD,
        "completed_at_us",
        where=f"completed_at_us IS NOT NULL AND result_object IS NULL AND payload <> '{NO_PAYLOAD}'",
    ),
    partial_index("ix_jobs_result_expires", "result_expires_at_us", where="result_object IS NOT NULL"),
)
