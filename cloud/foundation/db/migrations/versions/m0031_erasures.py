"""Create the tables of erasures, and let a removed range name the erasure that removed it.

The two new columns of the removed ranges are NULL for those that retention removed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "erased_encounters",
        sa.Column("erasure_id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("encounter_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text()),
        sa.Column("incident_id", sa.Text()),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at_us", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("failure", sa.Text()),
        sa.Column("progress_at_us", sa.BigInteger(), nullable=False),
        sa.Column("finished_at_us", sa.BigInteger()),
        sa.Column("observations", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("batches", sa.BigInteger(), nullable=False),
        sa.Column("others", sa.BigInteger(), nullable=False),
        sa.Column("unread", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("replies", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("tenant_id", "encounter_id", name="uq_erased_encounters_tenant_id_encounter_id"),
    )
    op.create_index("ix_erased_encounters_phase", "erased_encounters", ["phase"])
    op.create_table(
        "erased_intervals",
        sa.Column("erasure_id", sa.Text(), primary_key=True),
        sa.Column("device_id", sa.Text(), primary_key=True),
        sa.Column("from_us", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["erasure_id"], ["erased_encounters.erasure_id"]),
    )
    op.create_table(
        "erased_object_walks",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("after_name", sa.Text(), nullable=False),
        sa.Column("through_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    )
    op.add_column("removed_ranges", sa.Column("erasure_id", sa.Text()))
    op.add_column("removed_ranges", sa.Column("seal", sa.LargeBinary()))
