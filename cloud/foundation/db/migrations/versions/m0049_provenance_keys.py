"""Create the table of the keys that sign records of provenance."""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "provenance_keys",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("private_key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("published_at_us", sa.BigInteger(), nullable=False),
        sa.Column("signs_from_us", sa.BigInteger()),
        sa.Column("retired_at_us", sa.BigInteger()),
        sa.Column("covers_until_us", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_at_us", sa.BigInteger()),
        sa.UniqueConstraint("kid"),
    )
