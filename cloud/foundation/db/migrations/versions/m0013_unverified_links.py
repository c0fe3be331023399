"""Store for each source of observations whether the device's identity is only the device's own claim."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column(
        "observation_sources", sa.Column("unverified_link", sa.Boolean(), nullable=False, server_default=sa.false())
    )
