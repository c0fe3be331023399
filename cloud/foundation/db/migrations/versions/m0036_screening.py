"""Create the tables of imported sanctions lists and labels of wallets."""

import sqlalchemy as sa
from alembic import op

from cloud.foundation.db.schema import row_number

revision = "0036"
down_revision = "0035"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "screening_lists",
        sa.Column("id", row_number(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("published_on", sa.Text()),
        sa.Column("sha256", sa.Text()),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("names", sa.Integer(), nullable=False),
        sa.Column("wallets", sa.Integer(), nullable=False),
        sa.Column("problems", sa.Integer(), nullable=False),
        sa.Column("started_at_us", sa.BigInteger(), nullable=False),
        sa.Column("current_from_us", sa.BigInteger()),
        sa.Column("current_until_us", sa.BigInteger()),
        sa.Column("emptied_at_us", sa.BigInteger()),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.CheckConstraint("state IN ('staged', 'current', 'replaced', 'refused')", name="state"),
    )
    op.create_index("ix_screening_lists_tenant_id_name", "screening_lists", ["tenant_id", "name"])
    current, filled = sa.text("state = 'current'"), sa.text("emptied_at_us IS NULL")
    op.create_index(
        "ix_screening_lists_current",
        "screening_lists",
        ["tenant_id", "name"],
        unique=True,
        sqlite_where=current,
        postgresql_where=current,
    )
    op.create_index(
        "ix_screening_lists_filled",
        "screening_lists",
        ["started_at_us"],
        sqlite_where=filled,
        postgresql_where=filled,
    )
    op.create_table(
        "screening_entries",
        sa.Column("list_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("entry", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["list_id"], ["screening_lists.id"]),
    )
    op.create_table(
        "screening_names",
        sa.Column("list_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("word", sa.Text(), primary_key=True),
        sa.Column("entry", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["list_id"], ["screening_lists.id"]),
    )
    op.create_table(
        "screening_words",
        sa.Column("list_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("word", sa.Text(), primary_key=True),
        sa.Column("names", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["list_id"], ["screening_lists.id"]),
    )
    op.create_table(
        "screening_wallets",
        sa.Column("list_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("address", sa.Text(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["list_id"], ["screening_lists.id"]),
    )
