"""Create the tables of telephony providers and routes."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "telephony_providers",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("credentials_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("disabled_at_us", sa.BigInteger()),
        sa.Column("checked_at_us", sa.BigInteger()),
        sa.Column("check_outcome", sa.Text()),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_telephony_providers_tenant_id_id", "telephony_providers", ["tenant_id", "id"])
    default = sa.text("is_default")
    op.create_index(
        "ux_telephony_providers_default",
        "telephony_providers",
        ["tenant_id"],
        unique=True,
        sqlite_where=default,
        postgresql_where=default,
    )
    op.create_table(
        "telephony_routes",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("provider_id", sa.Text(), sa.ForeignKey("telephony_providers.id"), nullable=False),
        sa.Column("did", sa.Text()),
        sa.Column("subaccount", sa.Text()),
        sa.Column("subsystem", sa.Text(), nullable=False),
        sa.Column("label", sa.Text()),
        sa.Column("disabled_at_us", sa.BigInteger()),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
    )
    for last in ("id", "did"):
        op.create_index(f"ix_telephony_routes_tenant_id_{last}", "telephony_routes", ["tenant_id", last])
    active = sa.text("disabled_at_us IS NULL")
    for last in ("did", "subaccount"):
        op.create_index(
            f"ux_telephony_routes_{last}",
            "telephony_routes",
            ["provider_id", last],
            unique=True,
            sqlite_where=active,
            postgresql_where=active,
        )
