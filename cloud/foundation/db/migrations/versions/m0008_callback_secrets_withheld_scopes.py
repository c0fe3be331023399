"""The generation of the secret that signs call-backs to an app (derived, not stored); scopes that a tenant does not
have."""

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
