"""Create the tables of the tree of evidence records, and of its signed heads."""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "evidence_trees",
        sa.Column("tenant_id", sa.Text(), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("scanned_number", sa.BigInteger(), nullable=False),
        sa.Column("high_number", sa.BigInteger(), nullable=False),
        sa.Column("due_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_evidence_trees_due_at_us", "evidence_trees", ["due_at_us"])
    op.create_table(
        "evidence_tree_nodes",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("level", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("record_number", sa.BigInteger()),
    )
    op.create_index(
        "ix_evidence_tree_nodes_tenant_id_record_number",
        "evidence_tree_nodes",
        ["tenant_id", "record_number"],
        unique=True,
    )
    op.create_table(
        "tree_heads",
        sa.Column("tenant_id", sa.Text(), sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("tree_size", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("root_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("signature_kid", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("stamp_due_us", sa.BigInteger()),
        sa.Column("stamp_attempts", sa.Integer(), nullable=False),
        sa.Column("stamp_failure", sa.Text()),
        sa.Column("stamped_at_us", sa.BigInteger()),
        sa.Column("stamp", sa.LargeBinary()),
    )
    not_stamped = sa.text("stamp_due_us IS NOT NULL")
    op.create_index(
        "ix_tree_heads_stamp_due_us",
        "tree_heads",
        ["stamp_due_us"],
        sqlite_where=not_stamped,
        postgresql_where=not_stamped,
    )
