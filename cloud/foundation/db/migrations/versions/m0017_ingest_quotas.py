"""Store gateways' quotas, batches parked by a quota, missing batches, and the number of repeated measurements of each
lane (numbered sequence of batches).
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_PARKED = sa.text("parked_batches > 0")


def upgrade() -> None:
    op.add_column("lanes", sa.Column("repeated", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "gateway_quotas",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("gateway_id", sa.Text(), primary_key=True),
        sa.Column("rows_until_us", sa.BigInteger(), nullable=False),
        sa.Column("bytes_until_us", sa.BigInteger(), nullable=False),
        sa.Column("devices_until_us", sa.BigInteger(), nullable=False),
        sa.Column("factor", sa.Double(), server_default=sa.text("1"), nullable=False),
        sa.Column("parked_batches", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("parked_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reached_us", sa.BigInteger(), nullable=True),
        sa.Column("reached_quota", sa.Text(), nullable=True),
        sa.Column("held_back_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    )
    op.create_index(
        "ix_gateway_quotas_parked",
        "gateway_quotas",
        ["tenant_id", "gateway_id"],
        sqlite_where=_PARKED,
        postgresql_where=_PARKED,
    )
    row_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "parked_batches",
        sa.Column("parked_id", row_number, primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("lane_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("quota", sa.Text(), nullable=False),
        sa.Column("parked_bytes", sa.BigInteger(), nullable=False),
        sa.Column("parked_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.lane_id"]),
        sa.UniqueConstraint("lane_id", "sequence"),
    )
    op.create_index(None, "parked_batches", ["tenant_id", "gateway_id", "parked_id"])
    op.create_table(
        "missing_batches",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("gateway_id", sa.Text(), primary_key=True),
        sa.Column("epoch", sa.Text(), primary_key=True),
        sa.Column("lane", sa.Text(), primary_key=True),
        sa.Column("ranges", sa.Text(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("reported_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    )
