"""Create the table of the agencies as which organisations report to NEMSIS."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "nemsis_agencies",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), primary_key=True),
        sa.Column("state_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("unit_capability", sa.Text()),
        sa.Column("not_reporting", sa.Text(), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    )
