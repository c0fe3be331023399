"""Create the table of rate limits, for processes that share a PostgreSQL database."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "rate_buckets",
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column("quota", sa.Float(), nullable=False),
        sa.Column("window_us", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Float(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index(None, "rate_buckets", ["at_us"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE rate_buckets SET UNLOGGED")
