"""Tables of devices: those that an organisation has enrolled, and those that were only seen on a vehicle.

The device sends its `system_id`; `serial_number` is printed on it. Each is unique within an organisation. A row with
the status `merged` is a device that was first seen on a vehicle and later recognised as an enrolled device. Its
observations stay under its own id, and are read as those of the enrolled device (`merged_into`).
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from cloud.foundation.db import metadata

devices = Table(
    "devices",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("vehicle_id", Text),
    Column("gateway_id", Text),  # the gateway that saw it last
    Column("system_id", Text),
    Column("serial_number", Text),
    Column("device_class", Text),
    Column("manufacturer", Text),
    Column("model", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("merged_into", Text),
    Column("secrecy_level", SmallInteger, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("enrolled_at_us", BigInteger),
    Column("last_seen_us", BigInteger),
    Column("battery_percent", SmallInteger),  # null, like the next column, until the device reported it
    Column("battery_at_us", BigInteger),
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    ForeignKeyConstraint(["tenant_id", "vehicle_id"], ["vehicles.tenant_id", "vehicles.id"]),
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    ForeignKeyConstraint(["tenant_id", "merged_into"], ["devices.tenant_id", "devices.id"]),
    UniqueConstraint("tenant_id", "organization_id", "system_id"),
    UniqueConstraint("tenant_id", "organization_id", "serial_number"),
    CheckConstraint("status IN ('unenrolled', 'active', 'retired', 'merged')", name="status"),
    CheckConstraint("(status = 'merged') = (merged_into IS NOT NULL)", name="merged"),
    Index(None, "tenant_id", "vehicle_id"),
    Index(None, "tenant_id", "gateway_id"),
    Index(None, "tenant_id", "merged_into"),
)

silent_devices = Table(
    "silent_devices",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("device_id", Text, primary_key=True),
    Column("last_seen_us", BigInteger, nullable=False),  # the last report before the silence that was emitted
    ForeignKeyConstraint(["tenant_id", "device_id"], ["devices.tenant_id", "devices.id"]),
)
