"""Create the tables of retention: periods, legal holds, removed batches and rows, and the daily size of the database.

Before this migration nothing from vehicles was ever deleted. So the tenants that exist get periods without end for this
data, and an upgrade deletes nothing. Tenants that are added later have the defaults.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
compatible_from = "0020"

KEPT = ("numerics", "waveforms", "batches", "vehicle_events", "content_keys")


def upgrade() -> None:
    periods = op.create_table(
        "retention_periods",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("days", sa.Integer()),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    )
    op.create_table(
        "retention_holds",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("released_at_us", sa.BigInteger()),
        sa.Column("released_by", sa.Text()),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    )
    op.create_index("ix_retention_holds_tenant_id", "retention_holds", ["tenant_id"])
    in_force = sa.text("released_at_us IS NULL")
    op.create_index(
        "uq_retention_holds_in_force",
        "retention_holds",
        ["tenant_id", "scope", "object_id"],
        unique=True,
        sqlite_where=in_force,
        postgresql_where=in_force,
    )
    op.create_table(
        "storage_days",
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "removed_ranges",
        sa.Column("lane_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("first_sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash_before", sa.LargeBinary(), nullable=False),
        sa.Column("hash_after", sa.LargeBinary(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("stored_us", sa.BigInteger(), nullable=False),
        sa.Column("removed_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.lane_id"]),
    )
    op.create_index("ix_removed_ranges_lane_id_last_sequence", "removed_ranges", ["lane_id", "last_sequence"])
    op.create_table(
        "removed_rows",
        sa.Column("lane_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("through_sequence", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.lane_id"]),
    )
    tenants = op.get_bind().execute(sa.text("SELECT id, created_at_us FROM tenants")).all()
    op.bulk_insert(
        periods,
        [
            {"tenant_id": id, "kind": kind, "days": None, "changed_at_us": at_us}
            for id, at_us in tenants
            for kind in KEPT
        ],
    )
