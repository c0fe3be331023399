"""Create the tables of quality indicators. The step `acqi_encounters` marks the encounters that exist."""

import sqlalchemy as sa
from alembic import op

from cloud.foundation.db.schema import row_number

revision = "0046"
down_revision = "0045"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "changed_encounters",
        sa.Column("id", row_number(), primary_key=True, autoincrement=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("encounter_id", sa.Text(), nullable=False),
    )
    op.create_table(
        "acqi_encounters",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("encounter_id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("secrecy_level", sa.SmallInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("scores", sa.Text(), nullable=False),
    )
    op.create_index("ix_acqi_encounters_tenant_id_at_us", "acqi_encounters", ["tenant_id", "at_us"])
    op.create_table(
        "acqi_days",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("organization_id", sa.Text(), primary_key=True),
        sa.Column("secrecy_level", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("indicator", sa.Text(), primary_key=True),
        sa.Column("numerator", sa.BigInteger(), nullable=False),
        sa.Column("denominator", sa.BigInteger(), nullable=False),
    )
