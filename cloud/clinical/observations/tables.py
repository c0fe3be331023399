"""Tables of observations. A row has the values of one observation. It refers by number to other rows, which describe
the device and the metric of many observations.

An ambulance sends some hundred rows a second. So the carrier of a device (tenant, organisation, vehicle, device) is one
row of `observation_sources`, and the description of a metric object is one row of `observation_channels`. A device that
moves to another vehicle or organisation gets a new source for its later observations. So a reader's access is decided
on the small table, and the large table is only scanned by its index.

On PostgreSQL a background step divides `observations` into partitions by the day of arrival (`arrival_days`). The key
of the table is then a key of each partition: the marks of a lane keep a value from being stored twice.

After some days (`[observations] compact_after_days`) the numerics of gateways move from `observations` to
`observation_minutes`, which has one row for each channel and minute with the same values (`minutes.compaction`). On
PostgreSQL this table has a partition for each day of arrival, so that a day is dropped as a whole.

The bytes of a waveform are in the row while blocks are small (some hundred bytes). Samples, device times and codes are
stored as the device sent them. The encounter of an observation follows from the assignments when it is read.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from cloud.foundation.db import FILLED_BY_MIGRATION, metadata, partial_index, row_number

API_LANE_ID = 0
"""The `lane_id` of observations that an application posted. The database counts lanes of gateways from 1."""

UNDATED = 0
"""The `day` of observations that are in no partition of a day."""

SYNCHRONISED_CLOCK_ID = 0
"""The `clock_id` of observations with a synchronised wall clock. The database counts clocks of boots from 1."""

ON_CLOCK = "clock_id > 0"
"""Condition of the rows whose time is on the clock of a gateway's boot."""

observation_sources = Table(
    "observation_sources",
    metadata,
    Column("source_id", row_number(), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),  # hash of all the fields below, since NULLs are never equal
    Column("tenant_id", Text, nullable=False),
    Column("organization_id", Text, nullable=False),
    Column("vehicle_id", Text),
    Column("device_id", Text, nullable=False),  # the cloud's id, also while the device is unenrolled
    Column("system_id", Text, nullable=False),  # the device's own system id
    Column("model", Text, nullable=False),
    Column("origin", Text, nullable=False),  # "vehicle": through a gateway; "api": posted by an application
    # The gateway identified the device only by the id that it sent (`protocols.uplink.channels.DeviceRef`).
    Column("unverified_link", Boolean, nullable=False, server_default=false()),
    ForeignKeyConstraint(["tenant_id", "device_id"], ["devices.tenant_id", "devices.id"]),
    UniqueConstraint("fingerprint"),
    Index(None, "tenant_id", "device_id"),
)

observation_channels = Table(
    "observation_channels",
    metadata,
    Column("channel_id", row_number(), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("source_id", BigInteger, ForeignKey("observation_sources.source_id"), nullable=False),
    Column("handle", BigInteger, nullable=False),
    Column("person", BigInteger),
    Column("type_partition", Integer, nullable=False),
    Column("type_code", Integer, nullable=False),
    Column("unit_partition", Integer),
    Column("unit_code", Integer),
    Column("components", Text, nullable=False),  # JSON [[partition, code], …]: the types of a compound value
    Column("supplemental_types", Text, nullable=False),  # the same form
    Column("sample_format", Text),  # protocols.observation.SampleFormat; NULL with the next three: not an array
    Column("sample_period_s", Double),
    Column("slope", Double),
    Column("array_offset", Double),
    # The codes as an application posted them, NULL for a vehicle's. The type is 0:0 if the nomenclature has no number.
    Column("mdc_code", Text),
    Column("unit_ucum", Text),
    UniqueConstraint("fingerprint"),
    # For a query such as "the heart rate of this device": type first, then the few channels that have it.
    Index(None, "source_id", "type_partition", "type_code"),
)

observation_clocks = Table(
    "observation_clocks",
    metadata,
    # The clock of a gateway's boot in which it did not know the time, or did not know it yet.
    Column("clock_id", row_number(), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("gateway_id", Text, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("device_known", Boolean, nullable=False),  # the relation of the device's clock to that clock was known
    UniqueConstraint("fingerprint"),
)

clock_anchors = Table(
    "clock_anchors",
    metadata,
    # The facts that a gateway reported about its boot's clock, beside the observations, which are never rewritten.
    Column("tenant_id", Text, primary_key=True),
    Column("gateway_id", Text, primary_key=True),
    Column("boot_id", Text, primary_key=True),
    # protocols.clock_anchor.ClockAnchor; NULL with the next three: the time is not known yet.
    Column("offset_us", BigInteger),
    Column("uncertainty_us", BigInteger),
    Column("first_us", BigInteger),
    Column("last_us", BigInteger),
    # The wall clock was certainly wrong, so observations have no encounter until the time is known.
    Column("estimated", Boolean, nullable=False),
)

observations = Table(
    "observations",
    metadata,
    # (gateway, epoch, lane) is the lane; with sequence and position it identifies a live observation (DESIGN D3).
    Column("lane_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),  # `index` in JSON; that is a keyword of SQL
    Column("source_id", BigInteger, nullable=False),
    Column("channel_id", BigInteger, nullable=False),
    Column("observed_at_us", BigInteger, nullable=False),  # corrected, UTC
    Column("uncertainty_us", BigInteger, nullable=False),
    Column("received_at_us", BigInteger, nullable=False),  # at the gateway, by its wall clock
    Column("number", Double),  # a finite number
    Column("value", Text),  # JSON of any other value, as `cloud.clinical.observations.values` writes it
    Column("samples", LargeBinary),  # an array's bytes as sent, big-endian
    Column("status", Integer, nullable=False),  # Measurement-Status bits as sent
    Column("device_time", LargeBinary),  # one byte for the kind of clock, then the bytes as sent
    Column("stored", Boolean, nullable=False),  # measured earlier and read from the device's memory
    # SYNCHRONISED_CLOCK_ID, or the clock of the gateway's boot. NULL: stored before this column existed, or posted.
    Column("clock_id", BigInteger),
    Column("monotonic_us", BigInteger),  # observed time on that clock; NULL unless clock_id names one
    # The encounter that an application named when it posted; it overrides the assignment. NULL: the assignment decides.
    Column("encounter_id", Text),
    # The day of the partition on PostgreSQL, once `arrival_days` has divided the table; UNDATED in all other rows.
    Column("day", Integer, nullable=False, server_default=text("0")),
    # Readers scan one device by time; the other columns make the order total, so a page continues exactly where the
    # last one ended. There are no foreign keys to sources and channels: both are written in the same transaction, and
    # two look-ups for each row would cost a fifth of the ingest rate.
    Index("ix_observations_source_time", "source_id", "observed_at_us", "sequence", "position", "lane_id"),
    partial_index(
        "ix_observations_clock_time",
        *("source_id", "clock_id", "monotonic_us", "sequence", "position", "lane_id"),
        where=ON_CLOCK,
    ),
    partial_index("ix_observations_encounter", "encounter_id", "observed_at_us", where="encounter_id IS NOT NULL"),
)

observation_minutes = Table(
    "observation_minutes",
    metadata,
    # The day (since 1970, UTC) on which the cloud stored the values. It is the key of the partitions on PostgreSQL.
    # Backlog from the vehicles then never belongs to a closed partition, and a clock of 1970 makes no partition.
    Column("day", Integer, primary_key=True, autoincrement=False),
    # The key of the row's first value in the order of arrival. A value is in one row only, so this is unique.
    Column("lane_id", BigInteger, primary_key=True, autoincrement=False),
    Column("first_sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("first_position", Integer, primary_key=True, autoincrement=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("source_id", BigInteger, nullable=False),
    Column("channel_id", BigInteger, nullable=False),
    Column("clock_id", BigInteger),  # as in `observations`, and the same for all values of the row
    Column("observed_from_us", BigInteger, nullable=False),  # least and greatest time of the row, within one minute
    Column("observed_to_us", BigInteger, nullable=False),
    Column("monotonic_from_us", BigInteger),  # NULL unless `clock_id` names a clock
    Column("monotonic_to_us", BigInteger),
    Column("stored_from_us", BigInteger, nullable=False),  # when the cloud stored the first of the values
    Column("value_count", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the values, as `minutes.body` encodes them
    Index("ix_observation_minutes_source_time", "source_id", "observed_from_us"),
    partial_index("ix_observation_minutes_clock_time", "source_id", "clock_id", "monotonic_from_us", where=ON_CLOCK),
    # Rows are added in the order of arrival, so 32 pages have a short range of times; SQLite has no such index.
    Index(
        "ix_observation_minutes_stored",
        "stored_from_us",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32},
    ).ddl_if(dialect="postgresql"),
    postgresql_partition_by="RANGE (day)",
)

lane_days = Table(
    "lane_days",
    metadata,
    # The days of which `observation_minutes` has rows of a lane, so that a reader touches only these partitions.
    Column("lane_id", BigInteger, primary_key=True, autoincrement=False),
    Column("source_id", BigInteger, primary_key=True, autoincrement=False),
    Column("clock_id", BigInteger, primary_key=True, autoincrement=False),  # SYNCHRONISED_CLOCK_ID also for NULL
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("observed_from_us", BigInteger, nullable=False),
    Column("observed_to_us", BigInteger, nullable=False),
    Column("first_sequence", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Index(None, "source_id", "observed_to_us"),
    Index(None, "day"),
)

minute_rows_since = Table(
    "minute_rows_since",
    metadata,
    # One row: the first day on which a program that can make minute rows ran. The release before cannot read them.
    # 0: the database is new, so the release before has never used it.
    Column("day", Integer, primary_key=True, autoincrement=False),
    info={FILLED_BY_MIGRATION: True},
)

stored_measurements = Table(
    "stored_measurements",
    metadata,
    # Measurements from a device's memory, which it may send repeatedly: once for each tenant, by whichever gateway.
    Column("tenant_id", Text, primary_key=True),
    Column("content_key", LargeBinary, primary_key=True),
    Column("lane_id", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
)
