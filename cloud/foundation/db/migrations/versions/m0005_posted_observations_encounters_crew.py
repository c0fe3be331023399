"""Store data that applications post: observations, encounters of a dispatch system, crews, and device batteries."""

import sqlalchemy as sa
from alembic import op

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0005"
down_revision = "0004"

FROM_CAD = "cad_incident_id IS NOT NULL"
NAMED = "encounter_id IS NOT NULL"


def upgrade() -> None:
    op.add_column("devices", sa.Column("battery_percent", sa.SmallInteger()))
    op.add_column("devices", sa.Column("battery_at_us", sa.BigInteger()))
    op.add_column("observation_channels", sa.Column("mdc_code", sa.Text()))
    op.add_column("observation_channels", sa.Column("unit_ucum", sa.Text()))
    op.add_column("observations", sa.Column("encounter_id", sa.Text()))
    create_index_unless_large(
        "ix_observations_encounter", "observations", ["encounter_id", "observed_at_us"], where=NAMED
    )
    op.add_column("encounters", sa.Column("cad_incident_id", sa.Text()))
    op.create_index(
        "uq_encounters_cad",
        "encounters",
        ["tenant_id", "organization_id", "cad_incident_id", sa.text("coalesce(vehicle_id, '')")],
        unique=True,
        sqlite_where=sa.text(FROM_CAD),
        postgresql_where=sa.text(FROM_CAD),
    )
    op.create_table(
        "crew_members",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    )
    op.create_index(None, "crew_members", ["tenant_id", "organization_id"])
    op.create_table(
        "encounter_crew",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("encounter_id", sa.Text(), primary_key=True),
        sa.Column("crew_member_id", sa.Text(), primary_key=True),
        sa.ForeignKeyConstraint(["tenant_id", "encounter_id"], ["encounters.tenant_id", "encounters.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "crew_member_id"], ["crew_members.tenant_id", "crew_members.id"]),
    )
    op.create_index(None, "encounter_crew", ["tenant_id", "crew_member_id"])
