"""Add the column of the spans within a span. Earlier spans have none."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
compatible_from = "0020"


def upgrade() -> None:
    op.add_column("spans", sa.Column("inner_spans", sa.Text()))
