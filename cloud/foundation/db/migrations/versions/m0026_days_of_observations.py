"""Store for each observation the day of its partition.

It is 0 in all rows that exist. A background step divides the table of observations into partitions on PostgreSQL.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
compatible_from = "0020"


def upgrade() -> None:
    op.add_column("observations", sa.Column("day", sa.Integer(), nullable=False, server_default=sa.text("0")))
