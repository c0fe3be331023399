"""Gateways can be suspended and revoked; their former keys, their certificates and the authorities are stored."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables. Every existing gateway is active."""
    op.add_column("gateways", sa.Column("access", sa.Text(), nullable=False, server_default="active"))
    op.add_column("gateways", sa.Column("access_reason", sa.Text()))
    op.add_column("gateways", sa.Column("access_at_us", sa.BigInteger()))
    op.create_table(
        "gateway_former_keys",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("replaced_at_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateways.tenant_id", "gateways.id"],
            name=op.f("fk_gateway_former_keys_tenant_id_gateway_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "gateway_id", "public_key", name=op.f("pk_gateway_former_keys")),
    )
    op.create_table(
        "authorities",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("added_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorities")),
    )
    op.create_table(
        "gateway_certificates",
        sa.Column("authority_id", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_us", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["authority_id"], ["authorities.id"], name=op.f("fk_gateway_certificates_authority_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateways.tenant_id", "gateways.id"],
            name=op.f("fk_gateway_certificates_tenant_id_gateway_id"),
        ),
        sa.PrimaryKeyConstraint("authority_id", "serial", name=op.f("pk_gateway_certificates")),
    )
    op.create_index(
        op.f("ix_gateway_certificates_tenant_id_gateway_id"), "gateway_certificates", ["tenant_id", "gateway_id"]
    )
