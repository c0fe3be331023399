"""Let readers request the numerics of an ingest process without its waveforms, and see that it is writing them."""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
compatible_from = "0020"


def upgrade() -> None:
    for name in ("wanted_numerics", "written_numerics", "beats"):
        op.add_column(
            "staging_processes", sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
        )
