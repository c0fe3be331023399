"""Tenants, organisations, vehicles, gateways, devices, encounters, assignments and the outbox of domain events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PENDING = "done_at_us IS NULL AND parked_at_us IS NULL"
OPEN = "until_us IS NULL AND voided_at_us IS NULL"


def upgrade() -> None:
    """Create the tables in the order in which they refer to each other."""
    op.create_table(
        "outbox_events",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
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
        sa.PrimaryKeyConstraint("position", name=op.f("pk_outbox_events")),
        sa.UniqueConstraint("id", name=op.f("uq_outbox_events_id")),
    )
    op.create_index("ix_outbox_events_done", "outbox_events", ["done_at_us"], unique=False)
    op.create_index(
        "ix_outbox_events_due",
        "outbox_events",
        ["available_at_us", "position"],
        unique=False,
        sqlite_where=sa.text(PENDING),
        postgresql_where=sa.text(PENDING),
    )
    op.create_index(
        "ix_outbox_events_pending",
        "outbox_events",
        ["tenant_id", "key", "position"],
        unique=False,
        sqlite_where=sa.text(PENDING),
        postgresql_where=sa.text(PENDING),
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "organizations",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_organizations_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_organizations")),
    )
    op.create_table(
        "vehicles",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "organization_id"],
            ["organizations.tenant_id", "organizations.id"],
            name=op.f("fk_vehicles_tenant_id_organization_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_vehicles")),
    )
    op.create_index(
        op.f("ix_vehicles_tenant_id_organization_id"), "vehicles", ["tenant_id", "organization_id"], unique=False
    )
    op.create_table(
        "encounters",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text()),
        sa.Column("care_model", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("secrecy_level", sa.SmallInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "organization_id"],
            ["organizations.tenant_id", "organizations.id"],
            name=op.f("fk_encounters_tenant_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "vehicle_id"],
            ["vehicles.tenant_id", "vehicles.id"],
            name=op.f("fk_encounters_tenant_id_vehicle_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_encounters")),
    )
    op.create_index(
        op.f("ix_encounters_tenant_id_organization_id"), "encounters", ["tenant_id", "organization_id"], unique=False
    )
    op.create_index(op.f("ix_encounters_tenant_id_vehicle_id"), "encounters", ["tenant_id", "vehicle_id"], unique=False)
    op.create_table(
        "gateways",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
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
        sa.ForeignKeyConstraint(
            ["tenant_id", "organization_id"],
            ["organizations.tenant_id", "organizations.id"],
            name=op.f("fk_gateways_tenant_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "vehicle_id"],
            ["vehicles.tenant_id", "vehicles.id"],
            name=op.f("fk_gateways_tenant_id_vehicle_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_gateways")),
    )
    op.create_index(
        op.f("ix_gateways_tenant_id_organization_id"), "gateways", ["tenant_id", "organization_id"], unique=False
    )
    op.create_index(op.f("ix_gateways_tenant_id_vehicle_id"), "gateways", ["tenant_id", "vehicle_id"], unique=False)
    op.create_table(
        "devices",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
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
        sa.CheckConstraint("(status = 'merged') = (merged_into IS NOT NULL)", name=op.f("ck_devices_merged")),
        sa.CheckConstraint("status IN ('unenrolled', 'active', 'retired', 'merged')", name=op.f("ck_devices_status")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateways.tenant_id", "gateways.id"],
            name=op.f("fk_devices_tenant_id_gateway_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merged_into"],
            ["devices.tenant_id", "devices.id"],
            name=op.f("fk_devices_tenant_id_merged_into"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "organization_id"],
            ["organizations.tenant_id", "organizations.id"],
            name=op.f("fk_devices_tenant_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "vehicle_id"],
            ["vehicles.tenant_id", "vehicles.id"],
            name=op.f("fk_devices_tenant_id_vehicle_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_devices")),
        sa.UniqueConstraint(
            "tenant_id",
            "organization_id",
            "serial_number",
            name=op.f("uq_devices_tenant_id_organization_id_serial_number"),
        ),
        sa.UniqueConstraint(
            "tenant_id", "organization_id", "system_id", name=op.f("uq_devices_tenant_id_organization_id_system_id")
        ),
    )
    op.create_index(op.f("ix_devices_tenant_id_gateway_id"), "devices", ["tenant_id", "gateway_id"], unique=False)
    op.create_index(op.f("ix_devices_tenant_id_merged_into"), "devices", ["tenant_id", "merged_into"], unique=False)
    op.create_index(op.f("ix_devices_tenant_id_vehicle_id"), "devices", ["tenant_id", "vehicle_id"], unique=False)
    op.create_table(
        "assignments",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
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
        sa.CheckConstraint("until_us IS NULL OR until_us > from_us", name=op.f("ck_assignments_interval")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "device_id"],
            ["devices.tenant_id", "devices.id"],
            name=op.f("fk_assignments_tenant_id_device_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "encounter_id"],
            ["encounters.tenant_id", "encounters.id"],
            name=op.f("fk_assignments_tenant_id_encounter_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "organization_id"],
            ["organizations.tenant_id", "organizations.id"],
            name=op.f("fk_assignments_tenant_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "replaces"],
            ["assignments.tenant_id", "assignments.id"],
            name=op.f("fk_assignments_tenant_id_replaces"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_assignments")),
    )
    op.create_index(
        op.f("ix_assignments_tenant_id_device_id_from_us"),
        "assignments",
        ["tenant_id", "device_id", "from_us"],
        unique=False,
    )
    op.create_index(
        op.f("ix_assignments_tenant_id_encounter_id"), "assignments", ["tenant_id", "encounter_id"], unique=False
    )
    op.create_index(op.f("ix_assignments_tenant_id_replaces"), "assignments", ["tenant_id", "replaces"], unique=False)
    op.create_index(
        "uq_assignments_open",
        "assignments",
        ["tenant_id", "device_id"],
        unique=True,
        sqlite_where=sa.text(OPEN),
        postgresql_where=sa.text(OPEN),
    )
