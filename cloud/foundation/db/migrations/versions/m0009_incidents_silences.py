"""Create the table of incidents, and the tables of gateways and of devices whose silence was reported."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_INCIDENTS_SO_FAR = """
INSERT INTO incidents (tenant_id, id, organization_id, cad_incident_id, status, secrecy_level, encounters,
                       open_encounters, opened_at_us, updated_at_us, closed_at_us)
SELECT tenant_id, 'inc_' || substr(min(id), 5), organization_id, cad_incident_id,
       CASE WHEN sum(CASE WHEN status = 'in_progress' THEN 1 ELSE 0 END) > 0 THEN 'open' ELSE 'closed' END,
       max(secrecy_level), count(*), sum(CASE WHEN status = 'in_progress' THEN 1 ELSE 0 END),
       min(created_at_us), max(created_at_us),
       CASE WHEN sum(CASE WHEN status = 'in_progress' THEN 1 ELSE 0 END) > 0 THEN NULL ELSE max(created_at_us) END
FROM encounters WHERE cad_incident_id IS NOT NULL
GROUP BY tenant_id, organization_id, cad_incident_id
"""
# Silences that began before this migration are not reported.
_SILENT_DEVICES_SO_FAR = """
INSERT INTO silent_devices (tenant_id, device_id, last_seen_us)
SELECT tenant_id, id, last_seen_us FROM devices WHERE last_seen_us IS NOT NULL
"""
_SILENT_GATEWAYS_SO_FAR = """
INSERT INTO silent_gateways (tenant_id, gateway_id, since_us)
SELECT tenant_id, id, coalesce(status_at_us, registered_at_us) FROM gateways WHERE online IS NULL OR NOT online
"""


def upgrade() -> None:
    op.create_table(
        "incidents",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("cad_incident_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("secrecy_level", sa.SmallInteger(), nullable=False),
        sa.Column("encounters", sa.Integer(), nullable=False),
        sa.Column("open_encounters", sa.Integer(), nullable=False),
        sa.Column("opened_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_at_us", sa.BigInteger()),
        sa.CheckConstraint("status IN ('open', 'closed')", name="status"),
        sa.CheckConstraint("(status = 'open') = (open_encounters > 0)", name="open"),
        sa.ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
        sa.UniqueConstraint("tenant_id", "organization_id", "cad_incident_id"),
    )
    op.create_table(
        "silent_devices",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("device_id", sa.Text(), primary_key=True),
        sa.Column("last_seen_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "device_id"], ["devices.tenant_id", "devices.id"]),
    )
    op.create_table(
        "silent_gateways",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("gateway_id", sa.Text(), primary_key=True),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    )
    for statement in (_INCIDENTS_SO_FAR, _SILENT_DEVICES_SO_FAR, _SILENT_GATEWAYS_SO_FAR):
        op.execute(sa.text(statement))
