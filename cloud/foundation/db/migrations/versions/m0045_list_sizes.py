"""Store the size with which the next edition of a sanctions list is compared."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
compatible_from = "0020"


def upgrade() -> None:
    op.add_column("screening_lists", sa.Column("largest", sa.Integer()))
