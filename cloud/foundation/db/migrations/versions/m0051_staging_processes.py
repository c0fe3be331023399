"""Record when ingest processes stage batches, so that readers in other processes can request their rows."""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "staging_processes",
        sa.Column("process", sa.Text, primary_key=True),
        sa.Column("period", sa.BigInteger, nullable=False),
        sa.Column("wanted_period", sa.BigInteger, nullable=False),
        sa.Column("written_period", sa.BigInteger, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
    )
