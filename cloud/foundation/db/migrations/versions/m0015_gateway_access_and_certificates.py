"""Store whether a gateway is suspended or revoked, its former keys, and its certificates with their authorities."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("gateways", sa.Column("access", sa.Text(), nullable=False, server_default="active"))
    op.add_column("gateways", sa.Column("access_reason", sa.Text()))
    op.add_column("gateways", sa.Column("access_at_us", sa.BigInteger()))
    op.create_table(
        "gateway_former_keys",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("gateway_id", sa.Text(), primary_key=True),
        sa.Column("public_key", sa.LargeBinary(), primary_key=True),
        sa.Column("replaced_at_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    )
    op.create_table(
        "authorities",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("added_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "gateway_certificates",
        sa.Column("authority_id", sa.Text(), primary_key=True),
        sa.Column("serial", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_us", sa.BigInteger()),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    )
    op.create_index(None, "gateway_certificates", ["tenant_id", "gateway_id"])
