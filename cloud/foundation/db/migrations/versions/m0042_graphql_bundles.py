"""Create the tables of GraphQL operation bundles and of the apps that may use them."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "graphql_documents",
        sa.Column("bundle", sa.Text(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("text_digest", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text()),
        sa.Column("added_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "graphql_grants",
        sa.Column("client_id", sa.Text(), sa.ForeignKey("apps.client_id"), primary_key=True),
        sa.Column("bundle", sa.Text(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("granted_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_graphql_grants_bundle_version", "graphql_grants", ["bundle", "version"])
