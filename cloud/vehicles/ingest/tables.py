"""Tables of ingest besides the chain: epochs, gateway events, quotas, parked batches, batches that never arrived, and
the processes that stage batches."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from cloud.foundation.db import metadata, partial_index, row_number

gateway_epochs = Table(
    "gateway_epochs",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("gateway_id", Text, primary_key=True),
    Column("epoch", Text, primary_key=True),
    Column("began_us", BigInteger, nullable=False),  # by the cloud's clock, at the first authentic batch
    Column("replaces", Text),  # the previous epoch, NULL for the gateway's first
    Column("contested_us", BigInteger),  # when it continued although a newer one had begun; NULL: never
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
)

gateway_events = Table(
    "gateway_events",
    metadata,
    # A batch of kind "event" has one event.
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
    # For the latest events of a gateway; the primary key already serves the custody of a batch.
    Index(None, "tenant_id", "gateway_id", "at_us"),
    # For the timeline of an encounter, and the events of a device in any vehicle.
    Index(None, "tenant_id", "vehicle_id", "at_us"),
    partial_index("ix_gateway_events_device", "tenant_id", "device", "at_us", where="device IS NOT NULL"),
)

gateway_quotas = Table(
    "gateway_quotas",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("gateway_id", Text, primary_key=True),
    # For each quota, the time at which its bucket is full again (`cloud.vehicles.ingest.quotas`); in the past: full.
    Column("rows_until_us", BigInteger, nullable=False),
    Column("bytes_until_us", BigInteger, nullable=False),
    Column("devices_until_us", BigInteger, nullable=False),
    Column("factor", Double, nullable=False, server_default=text("1")),  # from an operator; multiplies all quotas
    Column("parked_batches", BigInteger, nullable=False, server_default=text("0")),
    Column("parked_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("reached_us", BigInteger),  # since when batches are parked; NULL with the next column: none are
    Column("reached_quota", Text),
    Column("held_back_us", BigInteger),  # since when there is no room to park more
    Column("epochs_until_us", BigInteger, nullable=False, server_default=text("0")),  # as the other `…_until_us`
    Column("epochs_held_back_us", BigInteger),  # since when batches of new epochs are held back
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    # For the gateways with parked batches: few of all gateways, queried every second.
    partial_index("ix_gateway_quotas_parked", "tenant_id", "gateway_id", where="parked_batches > 0"),
)

parked_batches = Table(
    "parked_batches",
    metadata,
    # Stored in the chain and acknowledged, but without rows of their own until the gateway's quota allows them.
    Column("parked_id", row_number(), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("gateway_id", Text, nullable=False),
    Column("lane_id", BigInteger, ForeignKey("lanes.lane_id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("quota", Text, nullable=False),  # vehicles.ingest.quotas.Quota
    Column("parked_bytes", BigInteger, nullable=False),
    Column("parked_us", BigInteger, nullable=False),
    UniqueConstraint("lane_id", "sequence"),
    Index(None, "tenant_id", "gateway_id", "parked_id"),
)

missing_batches = Table(
    "missing_batches",
    metadata,
    # Batches that a gateway's status reports as published and the cloud does not hold, one row for each such lane.
    Column("tenant_id", Text, primary_key=True),
    Column("gateway_id", Text, primary_key=True),
    Column("epoch", Text, primary_key=True),
    Column("lane", Text, primary_key=True),
    Column("ranges", Text, nullable=False),  # as `LaneMarks.text` writes them
    Column("since_us", BigInteger, nullable=False),
    Column("reported_us", BigInteger),  # when `ingest.missing` was emitted; NULL: it may still arrive
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
)

staging_processes = Table(
    "staging_processes",
    metadata,
    # An ingest process that stages batches (`cloud.vehicles.ingest.staging_periods`), by a random name.
    Column("process", Text, primary_key=True),
    Column("period", BigInteger, nullable=False),  # the last period in which it began to stage batches
    Column("wanted_period", BigInteger, nullable=False),  # up to which a reader needs the rows
    Column("written_period", BigInteger, nullable=False),  # up to which all rows are written
    Column("at_us", BigInteger, nullable=False),  # when the last period began, by the clock of the process
    Column("wanted_numerics", BigInteger, nullable=False, server_default=text("0")),  # as `wanted_period`, of numerics
    Column("written_numerics", BigInteger, nullable=False, server_default=text("0")),
    Column("beats", BigInteger, nullable=False, server_default=text("0")),  # grows while it writes rows for a reader
)
