"""Create the tables of profiles and of their enrichments."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Text()),
        sa.Column("countries", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text()),
        sa.Column("address", sa.Text()),
        sa.Column("secrecy_level", sa.SmallInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
        sa.UniqueConstraint("tenant_id", "organization_id", "reference"),
        sa.CheckConstraint("kind IN ('person', 'organization', 'wallet')", name="kind"),
    )
    op.create_table(
        "profile_enrichments",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("profile_id", sa.Text(), nullable=False),
        sa.Column("enriched_at_us", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "profile_id"], ["profiles.tenant_id", "profiles.id"]),
    )
    op.create_index(
        "ix_profile_enrichments_tenant_id_profile_id_enriched_at_us",
        "profile_enrichments",
        ["tenant_id", "profile_id", "enriched_at_us"],
    )
    op.create_index("ix_profile_enrichments_enriched_at_us", "profile_enrichments", ["enriched_at_us"])
