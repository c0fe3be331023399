"""Table of assignments: the interval in which a device's observations belong to an encounter, and who assigned them.

The interval is [from_us, until_us), open when until_us is null. Moving an assignment voids its row and adds a new row,
so the state at any time can still be read.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKeyConstraint, Index, Table, Text

from cloud.foundation.db import metadata, partial_index

assignments = Table(
    "assignments",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("encounter_id", Text, nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("until_us", BigInteger),
    Column("assigned_by", Text, nullable=False),
    Column("assigned_at_us", BigInteger, nullable=False),
    Column("closed_by", Text),
    Column("voided_at_us", BigInteger),
    Column("voided_by", Text),
    Column("replaces", Text),  # the voided assignment that this one replaces
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    ForeignKeyConstraint(["tenant_id", "device_id"], ["devices.tenant_id", "devices.id"]),
    ForeignKeyConstraint(["tenant_id", "encounter_id"], ["encounters.tenant_id", "encounters.id"]),
    ForeignKeyConstraint(["tenant_id", "replaces"], ["assignments.tenant_id", "assignments.id"]),
    CheckConstraint("until_us IS NULL OR until_us > from_us", name="interval"),
    Index(None, "tenant_id", "device_id", "from_us"),
    Index(None, "tenant_id", "encounter_id"),
    Index(None, "tenant_id", "replaces"),
    # The last guard of "one device, one encounter at a time": no two open intervals, also if the code has an error.
    partial_index(
        "uq_assignments_open", "tenant_id", "device_id", unique=True, where="until_us IS NULL AND voided_at_us IS NULL"
    ),
)
