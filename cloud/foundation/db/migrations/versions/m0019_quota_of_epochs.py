"""Store each gateway's quota of new epochs (lives of its store), and the time since which the batches of further epochs
are held back.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column(
        "gateway_quotas", sa.Column("epochs_until_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("gateway_quotas", sa.Column("epochs_held_back_us", sa.BigInteger(), nullable=True))
