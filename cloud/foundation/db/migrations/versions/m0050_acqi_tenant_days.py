"""Create the table of the sums of indicators of whole tenants, and find those of an organisation in the order of their
days. The step `acqi_tenant_days` adds up the sums that exist."""

import sqlalchemy as sa
from alembic import op

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0050"
down_revision = "0049"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "acqi_tenant_days",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("indicator", sa.Text(), primary_key=True),
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("secrecy_level", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("numerator", sa.BigInteger(), nullable=False),
        sa.Column("denominator", sa.BigInteger(), nullable=False),
    )
    create_index_unless_large(
        "ix_acqi_days_by_organization",
        "acqi_days",
        ["tenant_id", "organization_id", "indicator", "day", "secrecy_level", "numerator", "denominator"],
    )
