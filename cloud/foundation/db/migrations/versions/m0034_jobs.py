"""Create the table of jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text()),
        sa.Column("client_id", sa.Text()),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("secrecy_level", sa.Integer(), nullable=False),
        sa.Column("callback_url", sa.Text()),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("progress_pct", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text()),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("started_at_us", sa.BigInteger()),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("completed_at_us", sa.BigInteger()),
        sa.Column("due_at_us", sa.BigInteger()),
        sa.Column("lease_until_us", sa.BigInteger()),
        sa.Column("lease_token", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_message", sa.Text()),
        sa.Column("error_retryable", sa.Boolean()),
        sa.Column("result_object", sa.Text()),
        sa.Column("result_media_type", sa.Text()),
        sa.Column("result_bytes", sa.BigInteger()),
        sa.Column("result_expires_at_us", sa.BigInteger()),
    )
    op.create_index("ix_jobs_tenant_id_created_at_us", "jobs", ["tenant_id", "created_at_us", "id"])
    for name, columns, where in (
        ("ix_jobs_due", ["tenant_id", "due_at_us", "id"], "due_at_us IS NOT NULL"),
        ("ix_jobs_leased", ["tenant_id", "lease_until_us"], "lease_until_us IS NOT NULL"),
        ("ix_jobs_result_expires", ["result_expires_at_us"], "result_object IS NOT NULL"),
    ):
        op.create_index(name, "jobs", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
