"""Tables of the index of packed objects: the objects, the runs of batches in them, and the devices of each run.

A row of `waveform_runs` stands in the place of the rows of its batches (slice `custody`): it has the hashes of the
chain, by which a batch that arrives again is recognised, and the byte range from which the envelopes are read. The
release before recognises batches by their rows only, so a trigger refuses the row of a batch that a run has (migration
0061). Rows are written once; only `link` changes, when the predecessor of a run arrives. The erasure of an encounter
divides runs, and moves the others of an object to its rewritten copy.

Runs of the numeric lane (`cloud.vehicles.packing`) have no rows in `waveform_sources`: their values are in minute rows.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from cloud.foundation.db import metadata, partial_index, row_number

waveform_objects = Table(
    "waveform_objects",
    metadata,
    Column("object_id", row_number(), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),  # in the object store
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),  # in hex
    Column("stored_at_us", BigInteger, nullable=False),
    Column("unused_us", BigInteger),  # no run needs the object from this time on, so that it is to be removed
    UniqueConstraint("name"),
    partial_index("ix_waveform_objects_unused", "unused_us", where="unused_us IS NOT NULL"),
)

waveform_runs = Table(
    "waveform_runs",
    metadata,
    Column("lane_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),  # of the first batch
    Column("through_sequence", BigInteger, nullable=False),  # of the last batch
    # No foreign key: the object's row is written in the same transaction.
    Column("object_id", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),  # first byte of the run in its object
    Column("size_bytes", Integer, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),  # as the first batch states it
    Column("hashes", LargeBinary, nullable=False),  # the chain hashes of all batches, 32 bytes each
    Column("link", Text, nullable=False),  # of the first batch; the others follow their predecessors
    Column("organization_id", Text, nullable=False),
    Column("vehicle_id", Text, nullable=False),
    Column("received_at_us", BigInteger, nullable=False),  # when the first batch arrived
    Column("stored_at_us", BigInteger, nullable=False),  # of a run of numerics that of its last batch
    # When the gateway made the first and the last batch; NULL for waveforms.
    Column("created_from_us", BigInteger),
    Column("created_until_us", BigInteger),
    Index(None, "object_id"),
)

waveform_sources = Table(
    "waveform_sources",
    metadata,
    # What a run has of one device as carried by one vehicle (`observation_sources`), by one clock of the gateway
    # (`observation_clocks`; 0: its synchronised wall clock).
    Column("lane_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),  # of the run
    Column("source_id", BigInteger, primary_key=True, autoincrement=False),
    Column("clock_id", BigInteger, primary_key=True, autoincrement=False),
    Column("observations", Integer, nullable=False),
    Column("from_us", BigInteger, nullable=False),  # the earliest and the latest observed time
    Column("until_us", BigInteger, nullable=False),
    Column("monotonic_from_us", BigInteger),  # the same on the clock; NULL with a synchronised wall clock
    Column("monotonic_until_us", BigInteger),
    Index("ix_waveform_sources_time", "source_id", "from_us", "lane_id", "sequence"),
    partial_index(
        "ix_waveform_sources_clock_time",
        *("source_id", "clock_id", "monotonic_from_us", "lane_id", "sequence"),
        where="clock_id > 0",
    ),
)
