"""What ingest remembers of the fleet beside the chain: the epochs of each gateway, and the events that gateways
told."""

from sqlalchemy import BigInteger, Column, ForeignKey, ForeignKeyConstraint, Index, Table, Text

from cloud.db import metadata

gateway_epochs = Table(
    "gateway_epochs",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("gateway_id", Text, primary_key=True),
    Column("epoch", Text, primary_key=True),
    Column("began_us", BigInteger, nullable=False),  # by the cloud's clock, at the first authentic batch
    Column("replaces", Text),  # the epoch before, NULL for the gateway's first
    Column("contested_us", BigInteger),  # when it went on although a newer one had begun; NULL: never
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
)

gateway_events = Table(
    "gateway_events",
    metadata,
    # A batch of kind "event" tells one event.
    Column("lane_id", BigInteger, ForeignKey("lanes.lane_id"), primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant_id", Text, nullable=False),
    Column("organization_id", Text, nullable=False),
    Column("vehicle_id", Text, nullable=False),
    Column("gateway_id", Text, nullable=False),
    Column("name", Text, nullable=False),  # "device.connected", "store.reserve_entered", …
    Column("at_us", BigInteger, nullable=False),  # the gateway's wall clock
    Column("boot_id", Text, nullable=False),
    Column("device", Text),  # the device's system id where the event is about one
    Column("fields", Text, nullable=False),  # JSON object of plain values
    # Read as "what happened at this gateway lately"; the primary key already serves the custody of a batch.
    Index(None, "tenant_id", "gateway_id", "at_us"),
)
