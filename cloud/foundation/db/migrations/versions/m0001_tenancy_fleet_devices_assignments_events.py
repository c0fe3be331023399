"""Create the tables of tenants, organisations, vehicles, gateways, devices, encounters, assignments and events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

PENDING = "done_at_us IS NULL AND parked_at_us IS NULL"
OPEN = "until_us IS NULL AND voided_at_us IS NULL"


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    op.create_table(
        "outbox_events",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, primary_key=True
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text()),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("available_at_us", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_us", sa.BigInteger()),
        sa.Column("lease_token", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_at_us", sa.BigInteger()),
        sa.Column("parked_at_us", sa.BigInteger()),
        sa.UniqueConstraint("id"),
    )
    op.create_index("ix_outbox_events_done", "outbox_events", ["done_at_us"])
    _partial_index("ix_outbox_events_due", "outbox_events", ["available_at_us", "position"], PENDING)
    _partial_index("ix_outbox_events_pending", "outbox_events", ["tenant_id", "key", "position"], PENDING)
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "organizations",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    )
    op.create_table(
        "vehicles",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    )
    op.create_index(None, "vehicles", ["tenant_id", "organization_id"])
    op.create_table(
        "encounters",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text()),
        sa.Column("care_model", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("secrecy_level", sa.SmallInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "vehicle_id"], ["vehicles.tenant_id", "vehicles.id"]),
    )
    op.create_index(None, "encounters", ["tenant_id", "organization_id"])
    op.create_index(None, "encounters", ["tenant_id", "vehicle_id"])
    op.create_table(
        "gateways",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("registered_at_us", sa.BigInteger(), nullable=False),
        sa.Column("online", sa.Boolean()),
        sa.Column("status_at_us", sa.BigInteger()),
        sa.Column("epoch", sa.Text()),
        sa.Column("software", sa.Text()),
        sa.Column("store_state", sa.Text()),
        sa.Column("boot_id", sa.Text()),
        sa.ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "vehicle_id"], ["vehicles.tenant_id", "vehicles.id"]),
    )
    op.create_index(None, "gateways", ["tenant_id", "organization_id"])
    op.create_index(None, "gateways", ["tenant_id", "vehicle_id"])
    op.create_table(
        "devices",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text()),
        sa.Column("gateway_id", sa.Text()),
        sa.Column("system_id", sa.Text()),
        sa.Column("serial_number", sa.Text()),
        sa.Column("device_class", sa.Text()),
        sa.Column("manufacturer", sa.Text()),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Text()),
        sa.Column("secrecy_level", sa.SmallInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_at_us", sa.BigInteger()),
        sa.Column("last_seen_us", sa.BigInteger()),
        sa.CheckConstraint("(status = 'merged') = (merged_into IS NOT NULL)", name="merged"),
        sa.CheckConstraint("status IN ('unenrolled', 'active', 'retired', 'merged')", name="status"),
        sa.ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "merged_into"], ["devices.tenant_id", "devices.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "vehicle_id"], ["vehicles.tenant_id", "vehicles.id"]),
        sa.UniqueConstraint("tenant_id", "organization_id", "serial_number"),
        sa.UniqueConstraint("tenant_id", "organization_id", "system_id"),
    )
    op.create_index(None, "devices", ["tenant_id", "gateway_id"])
    op.create_index(None, "devices", ["tenant_id", "merged_into"])
    op.create_index(None, "devices", ["tenant_id", "vehicle_id"])
    op.create_table(
        "assignments",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("encounter_id", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger()),
        sa.Column("assigned_by", sa.Text(), nullable=False),
        sa.Column("assigned_at_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_by", sa.Text()),
        sa.Column("voided_at_us", sa.BigInteger()),
        sa.Column("voided_by", sa.Text()),
        sa.Column("replaces", sa.Text()),
        sa.CheckConstraint("until_us IS NULL OR until_us > from_us", name="interval"),
        sa.ForeignKeyConstraint(["tenant_id", "device_id"], ["devices.tenant_id", "devices.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "encounter_id"], ["encounters.tenant_id", "encounters.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "replaces"], ["assignments.tenant_id", "assignments.id"]),
    )
    op.create_index(None, "assignments", ["tenant_id", "device_id", "from_us"])
    op.create_index(None, "assignments", ["tenant_id", "encounter_id"])
    op.create_index(None, "assignments", ["tenant_id", "replaces"])
    _partial_index("uq_assignments_open", "assignments", ["tenant_id", "device_id"], OPEN, unique=True)
