"""The tables of schedules. A schedule that is not paused has a `due_at_us`, so the index of the due ones is small."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from cloud.foundation.db import metadata, partial_index

job_schedules = Table(
    "job_schedules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("organization_id", Text),  # that of the app; null: the app acts for the tenant
    Column("client_id", Text, ForeignKey("apps.client_id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("secrecy_level", Integer, nullable=False),
    Column("callback_url", Text),
    Column("cron", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("delay_us", BigInteger, nullable=False),
    Column("since_us", BigInteger),  # null: without windows
    Column("until_us", BigInteger),
    Column("job_id", Text),  # the last job; null before the first one
    Column("failures", Integer, nullable=False),
    Column("next_at_us", BigInteger, nullable=False),
    Column("due_at_us", BigInteger),  # null: paused
    Column("paused_at_us", BigInteger),
    Column("pause_reason", Text),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Index(None, "tenant_id", "id"),
    partial_index("ix_job_schedules_due", "due_at_us", where="due_at_us IS NOT NULL"),
    partial_index("ix_job_schedules_paused", "paused_at_us", where="paused_at_us IS NOT NULL"),
)

job_schedule_runs = Table(
    "job_schedule_runs",
    metadata,
    # One row for each time, whichever worker writes it: a time cannot start a second job.
    Column("schedule_id", Text, ForeignKey("job_schedules.id"), primary_key=True),
    Column("at_us", BigInteger, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("job_id", Text),
    Column("since_us", BigInteger),
    Column("until_us", BigInteger),
    Column("missed", Integer, nullable=False),
    Column("recorded_at_us", BigInteger, nullable=False),
)
