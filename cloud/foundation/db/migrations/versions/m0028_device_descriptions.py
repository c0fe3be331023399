"""Store how devices describe themselves, the changes of these descriptions, and their power supply."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
compatible_from = "0020"


def upgrade() -> None:
    op.add_column("devices", sa.Column("power_status", sa.Integer()))
    op.add_column("devices", sa.Column("battery_remaining_min", sa.Integer()))
    op.add_column("devices", sa.Column("description", sa.Text()))
    op.add_column("devices", sa.Column("described_at_us", sa.BigInteger()))
    op.create_table(
        "device_descriptions",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("device_id", sa.Text(), primary_key=True),
        sa.Column("at_us", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("lane_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text(), nullable=False),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("serial_number", sa.Text(), nullable=False),
        sa.Column("hardware_revision", sa.Text(), nullable=False),
        sa.Column("software_revision", sa.Text(), nullable=False),
        sa.Column("firmware_revision", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "device_id"], ["devices.tenant_id", "devices.id"]),
    )
    op.create_index(None, "device_descriptions", ["received_at_us"])
