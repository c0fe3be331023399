"""Add the index of waveforms that are packed into objects. Waveforms in rows stay there and stay readable."""

import sqlalchemy as sa
from alembic import op

from cloud.foundation.db.schema import row_number

revision = "0023"
down_revision = "0022"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "waveform_objects",
        sa.Column("object_id", row_number(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("stored_at_us", sa.BigInteger(), nullable=False),
        sa.Column("unused_us", sa.BigInteger()),
        sa.UniqueConstraint("name"),
    )
    unused = sa.text("unused_us IS NOT NULL")
    op.create_index(
        "ix_waveform_objects_unused",
        "waveform_objects",
        ["unused_us"],
        sqlite_where=unused,
        postgresql_where=unused,
    )
    op.create_table(
        "waveform_runs",
        sa.Column("lane_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("through_sequence", sa.BigInteger(), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text(), nullable=False),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
        sa.Column("stored_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_waveform_runs_object_id", "waveform_runs", ["object_id"])
    op.create_table(
        "waveform_sources",
        sa.Column("lane_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("source_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("clock_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("observations", sa.Integer(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("monotonic_from_us", sa.BigInteger()),
        sa.Column("monotonic_until_us", sa.BigInteger()),
    )
    op.create_index("ix_waveform_sources_time", "waveform_sources", ["source_id", "from_us", "lane_id", "sequence"])
    condition = sa.text("clock_id > 0")
    op.create_index(
        "ix_waveform_sources_clock_time",
        "waveform_sources",
        ["source_id", "clock_id", "monotonic_from_us", "lane_id", "sequence"],
        sqlite_where=condition,
        postgresql_where=condition,
    )
