"""The levels of rate limits, for the processes that share a PostgreSQL database."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate_buckets",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("quota", sa.Float(), nullable=False),
        sa.Column("window_us", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Float(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_rate_buckets")),
    )
    op.create_index(op.f("ix_rate_buckets_at_us"), "rate_buckets", ["at_us"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE rate_buckets SET UNLOGGED")
