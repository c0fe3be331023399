"""Create the tables of minute rows: the numerics of a channel and minute in one row, on PostgreSQL in a partition for
each day.

The tables begin empty, and a background job fills them, so the table of observations is not rewritten here. The job
waits for some days, in which the release before can still use the database: it cannot read these rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "observation_minutes",
        sa.Column("day", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("lane_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("first_sequence", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("first_position", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("clock_id", sa.BigInteger()),
        sa.Column("observed_from_us", sa.BigInteger(), nullable=False),
        sa.Column("observed_to_us", sa.BigInteger(), nullable=False),
        sa.Column("monotonic_from_us", sa.BigInteger()),
        sa.Column("monotonic_to_us", sa.BigInteger()),
        sa.Column("stored_from_us", sa.BigInteger(), nullable=False),
        sa.Column("value_count", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_index("ix_observation_minutes_source_time", "observation_minutes", ["source_id", "observed_from_us"])
    condition = sa.text("clock_id > 0")
    op.create_index(
        "ix_observation_minutes_clock_time",
        "observation_minutes",
        ["source_id", "clock_id", "monotonic_from_us"],
        sqlite_where=condition,
        postgresql_where=condition,
    )
    if op.get_context().dialect.name == "postgresql":
        op.create_index(
            "ix_observation_minutes_stored",
            "observation_minutes",
            ["stored_from_us"],
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 32},
        )
    op.create_table(
        "lane_days",
        sa.Column("lane_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("source_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("clock_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("day", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("observed_from_us", sa.BigInteger(), nullable=False),
        sa.Column("observed_to_us", sa.BigInteger(), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
    )
    op.create_index(None, "lane_days", ["source_id", "observed_to_us"])
    op.create_index(None, "lane_days", ["day"])
    op.create_table("minute_rows_since", sa.Column("day", sa.Integer(), autoincrement=False, primary_key=True))
