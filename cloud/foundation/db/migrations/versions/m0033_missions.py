"""Store the number of changes of an encounter's mission, and when the encounter ended."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
compatible_from = "0020"


def upgrade() -> None:
    op.add_column("encounters", sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1")))
    op.add_column("encounters", sa.Column("ended_at_us", sa.BigInteger()))
