"""Create the tables of results, which are objects that a tenant downloads."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "result_objects",
        sa.Column("object_name", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reference_count", sa.Integer(), nullable=False),
        sa.Column("stored_at_us", sa.BigInteger(), nullable=False),
        sa.Column("unused_since_us", sa.BigInteger()),
    )
    used, unused = sa.text("unused_since_us IS NULL"), sa.text("unused_since_us IS NOT NULL")
    op.create_index(
        "uq_result_objects_tenant_id_sha256",
        "result_objects",
        ["tenant_id", "sha256"],
        unique=True,
        sqlite_where=used,
        postgresql_where=used,
    )
    op.create_index(
        "ix_result_objects_unused_since_us",
        "result_objects",
        ["unused_since_us"],
        sqlite_where=unused,
        postgresql_where=unused,
    )
    op.create_table(
        "result_references",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("object_name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("stored_at_us", sa.BigInteger(), nullable=False),
    )
