"""Create the table of background steps: long work after an upgrade, done beside requests."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "background_steps",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("rows_done", sa.BigInteger(), nullable=False),
        sa.Column("rows_total", sa.BigInteger(), nullable=False),
        sa.Column("registered_at_us", sa.BigInteger(), nullable=False),
        sa.Column("started_at_us", sa.BigInteger()),
        sa.Column("progress_at_us", sa.BigInteger()),
        sa.Column("finished_at_us", sa.BigInteger()),
        sa.Column("lease_token", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_us", sa.BigInteger()),
        sa.Column("retry_at_us", sa.BigInteger()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failure", sa.Text()),
    )
