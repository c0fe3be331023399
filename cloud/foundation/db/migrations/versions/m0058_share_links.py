"""Create the table of share links of hand-overs."""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "share_links",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("encounter_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("added_at_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_us", sa.BigInteger()),
        sa.Column("revoked_by", sa.Text()),
        sa.Column("announced_at_us", sa.BigInteger()),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_share_links_tenant_id_encounter_id", "share_links", ["tenant_id", "encounter_id"])
    op.create_index("ix_share_links_added_at_us", "share_links", ["added_at_us"])
    unannounced = sa.text("announced_at_us IS NULL")
    op.create_index(
        "ix_share_links_unannounced",
        "share_links",
        ["added_at_us"],
        sqlite_where=unannounced,
        postgresql_where=unannounced,
    )
