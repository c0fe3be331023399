"""Create the table of the missions that are sent to vehicles."""

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "vehicle_missions",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("encounter_id", sa.Text(), primary_key=True),
        sa.Column("vehicle_id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("call_data", sa.Text(), nullable=False),
        sa.Column("issued_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("due_at_us", sa.BigInteger()),
        sa.Column("sent_at_us", sa.BigInteger()),
        sa.Column("received_version", sa.Integer()),
        sa.Column("received_at_us", sa.BigInteger()),
    )
    due = sa.text("due_at_us IS NOT NULL")
    op.create_index(
        "ix_vehicle_missions_due_at_us", "vehicle_missions", ["due_at_us"], sqlite_where=due, postgresql_where=due
    )
    op.create_index("ix_vehicle_missions_tenant_id_vehicle_id", "vehicle_missions", ["tenant_id", "vehicle_id"])
    op.create_index("ix_vehicle_missions_expires_at_us", "vehicle_missions", ["expires_at_us"])
