"""Create the tables of schedules and of their runs."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "job_schedules",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("organization_id", sa.Text()),
        sa.Column("client_id", sa.Text(), sa.ForeignKey("apps.client_id"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("secrecy_level", sa.Integer(), nullable=False),
        sa.Column("callback_url", sa.Text()),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("delay_us", sa.BigInteger(), nullable=False),
        sa.Column("since_us", sa.BigInteger()),
        sa.Column("until_us", sa.BigInteger()),
        sa.Column("job_id", sa.Text()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at_us", sa.BigInteger(), nullable=False),
        sa.Column("due_at_us", sa.BigInteger()),
        sa.Column("paused_at_us", sa.BigInteger()),
        sa.Column("pause_reason", sa.Text()),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_job_schedules_tenant_id_id", "job_schedules", ["tenant_id", "id"])
    for name, column in (("due", "due_at_us"), ("paused", "paused_at_us")):
        given = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_job_schedules_{name}", "job_schedules", [column], postgresql_where=given, sqlite_where=given
        )
    op.create_table(
        "job_schedule_runs",
        sa.Column("schedule_id", sa.Text(), sa.ForeignKey("job_schedules.id"), primary_key=True),
        sa.Column("at_us", sa.BigInteger(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text()),
        sa.Column("since_us", sa.BigInteger()),
        sa.Column("until_us", sa.BigInteger()),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("recorded_at_us", sa.BigInteger(), nullable=False),
    )
