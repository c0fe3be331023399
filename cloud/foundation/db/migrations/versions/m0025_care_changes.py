"""Create the table of field changes of care records."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "care_changes",
        sa.Column("lane_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("encounter_id", sa.Text(), nullable=False),
        sa.Column("element_key", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("value", sa.Text()),
        sa.Column("negative", sa.Text()),
        sa.Column("not_recorded", sa.Text()),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("replaces", sa.Text(), nullable=False),
        sa.Column("device_time_us", sa.BigInteger()),
        sa.Column("gateway_time_us", sa.BigInteger(), nullable=False),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index(None, "care_changes", ["tenant_id", "encounter_id"])
