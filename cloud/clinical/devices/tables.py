"""Tables of devices: those that an organisation has enrolled, and those that were only seen on a vehicle.

The device sends its `system_id`; `serial_number` is printed on it. Each is unique within an organisation. A row with
the status `merged` is a device that was first seen on a vehicle and later recognised as an enrolled device. Its
observations stay under its own id, and are read as those of the enrolled device (`merged_into`).

`device_descriptions` has the changes in how a device describes itself, such as an update of its firmware.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
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
    Column("power_status", Integer),  # Power-Status, with the time of the battery level
    Column("battery_remaining_min", Integer),
    Column("description", Text),  # as the device describes itself (description.py); null until it does
    Column("described_at_us", BigInteger),  # since when it describes itself so, by the clock of its gateway
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

device_descriptions = Table(
    "device_descriptions",
    metadata,
    # A row for each change of a description. It is valid until the next row of the device.
    Column("tenant_id", Text, primary_key=True),
    Column("device_id", Text, primary_key=True),
    Column("at_us", BigInteger, primary_key=True, autoincrement=False),  # by the clock of the gateway
    # The batch in which it arrived, for the comparison with the signed envelope.
    Column("lane_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("gateway_id", Text, nullable=False),
    Column("vehicle_id", Text, nullable=False),
    Column("received_at_us", BigInteger, nullable=False),  # by the cloud's clock
    # Copies from the description, for queries.
    Column("model", Text, nullable=False),
    Column("serial_number", Text, nullable=False),
    Column("hardware_revision", Text, nullable=False),
    Column("software_revision", Text, nullable=False),
    Column("firmware_revision", Text, nullable=False),
    Column("description", Text, nullable=False),  # description.py
    ForeignKeyConstraint(["tenant_id", "device_id"], ["devices.tenant_id", "devices.id"]),
    Index(None, "received_at_us"),  # for the sweep
)
