"""Store the scopes outside of the catalogue to which a tenant is entitled."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "entitled_scopes",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("scope", sa.Text(), primary_key=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    )
