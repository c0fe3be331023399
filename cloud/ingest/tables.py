"""What ingest remembers of the fleet: the epochs of each gateway, the marks of each lane, the events that gateways
told.

A lane's row is also the lock under which its batches are judged: several workers may hold batches of one lane, and
each decides with the other's already written. Everything that belongs to a lane refers to `lane_id` instead of
repeating gateway, epoch and lane: a number of two octets where three texts would be sixty, a million times a day and
vehicle.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, ForeignKeyConstraint, Index, Table, Text, UniqueConstraint

from cloud.db import metadata
from cloud.db.metadata import row_number

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

ingest_lanes = Table(
    "ingest_lanes",
    metadata,
    Column("lane_id", row_number(), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("gateway_id", Text, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("through_sequence", BigInteger, nullable=False),
    Column("ahead", Text, nullable=False),  # ranges held beyond it, as `LaneMarks.text` writes them
    Column("contested_us", BigInteger),  # when a second batch claimed a held sequence; the gateway is told ever after
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    UniqueConstraint("tenant_id", "gateway_id", "epoch", "lane"),
)

gateway_events = Table(
    "gateway_events",
    metadata,
    # A batch of kind "event" tells one event.
    Column("lane_id", BigInteger, ForeignKey("ingest_lanes.lane_id"), primary_key=True, autoincrement=False),
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
