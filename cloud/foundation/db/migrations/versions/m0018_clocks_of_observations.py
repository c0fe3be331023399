"""Store for each observation whether the gateway's wall clock was synchronised.

If the wall clock was not synchronised, the observation has a time on the gateway's monotonic clock, which starts again
at each boot. `clock_anchors` has, for each boot, the offset from the monotonic clock to wall time.
"""

import sqlalchemy as sa
from alembic import op

from cloud.foundation.db.migrations.large_tables import create_index_unless_large
from cloud.foundation.db.schema import row_number

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "observation_clocks",
        sa.Column("clock_id", row_number(), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("device_known", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("fingerprint"),
    )
    op.create_table(
        "clock_anchors",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("gateway_id", sa.Text(), primary_key=True),
        sa.Column("boot_id", sa.Text(), primary_key=True),
        sa.Column("offset_us", sa.BigInteger()),
        sa.Column("uncertainty_us", sa.BigInteger()),
        sa.Column("first_us", sa.BigInteger()),
        sa.Column("last_us", sa.BigInteger()),
        sa.Column("estimated", sa.Boolean(), nullable=False),
    )
    op.add_column("observations", sa.Column("clock_id", sa.BigInteger()))
    op.add_column("observations", sa.Column("monotonic_us", sa.BigInteger()))
    create_index_unless_large(
        "ix_observations_clock_time",
        "observations",
        ["source_id", "clock_id", "monotonic_us", "sequence", "position", "lane_id"],
        where="clock_id > 0",
    )
