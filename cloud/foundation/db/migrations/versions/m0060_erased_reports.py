"""Remember the reports that are erased with an encounter, and find joins and pending share links quickly."""

import sqlalchemy as sa
from alembic import op

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0060"
down_revision = "0059"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "erased_reports",
        sa.Column("erasure_id", sa.Text(), sa.ForeignKey("erased_encounters.erasure_id"), primary_key=True),
        sa.Column("report_id", sa.Text(), primary_key=True),
        sa.Column("gateway_id", sa.Text(), primary_key=True),
    )
    create_index_unless_large(
        "ix_care_changes_joins",
        "care_changes",
        ["tenant_id", "value"],
        where="element_key IN ('record.joined', 'record.part_of') AND length(value) <= 64",
    )
    create_index_unless_large(
        "ix_share_links_pending",
        "share_links",
        ["tenant_id", "vehicle_id", "added_at_us", "id"],
        where="announced_at_us IS NULL",
    )
