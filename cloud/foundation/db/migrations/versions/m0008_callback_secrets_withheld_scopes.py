"""Store the generation number that an app's call-back secret is derived from, and scopes withheld from a tenant."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("apps", sa.Column("callback_generation", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("apps", sa.Column("callback_previous_until_us", sa.BigInteger()))
    op.create_table(
        "withheld_scopes",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("scope", sa.Text(), primary_key=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    )
