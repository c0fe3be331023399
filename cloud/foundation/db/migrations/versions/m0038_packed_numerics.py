"""Store when a gateway made the batches of a packed run of numerics, by which a legal hold finds them.

Runs of waveforms, which exist so far, have the times of their sources instead.
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
compatible_from = "0020"


def upgrade() -> None:
    op.add_column("waveform_runs", sa.Column("created_from_us", sa.BigInteger()))
    op.add_column("waveform_runs", sa.Column("created_until_us", sa.BigInteger()))
