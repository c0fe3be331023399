"""Tables of the chain of custody: every batch with its hash, signature and bytes, every gap record, and the quarantine.

Envelopes are stored whole. So the gateway's public key suffices to verify the chain, without trusting the unpacked
rows, and a payload that this version cannot read is not lost. Times, counts and hashes are stored beside the envelopes
for queries. Chain rows are written once. Only two columns change later: `link` when the predecessor arrives, and
`content` when the payload is unpacked. `removal` deletes them after their retention period, or when an encounter is
erased.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from cloud.foundation.db import metadata, row_number

lanes = Table(
    "lanes",
    metadata,
    Column("lane_id", row_number(), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("gateway_id", Text, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("through_sequence", BigInteger, nullable=False),
    Column("ahead", Text, nullable=False),  # ranges held above `through_sequence`, as `LaneMarks.text` writes them
    # Measurements from devices' memories that were stored with an earlier batch and have no rows of their own.
    Column("repeated", BigInteger, nullable=False, server_default=text("0")),
    Column("contested_us", BigInteger),  # when a second batch claimed a held sequence; later acknowledgements report it
    # The signature of the batch `through_sequence`, for the evidence of encounters; NULL where it is not known. It is
    # valid only if `signed_sequence` is `through_sequence`, since the release before does not update it.
    Column("signed_sequence", BigInteger),
    Column("signature", Text),  # hexadecimal
    Column("signed_by", Text),  # the gateway's public key, hexadecimal
    Column("signed_created_us", BigInteger),  # when the batch was made, by the gateway's wall clock
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    UniqueConstraint("tenant_id", "gateway_id", "epoch", "lane"),
)

batches = Table(
    "batches",
    metadata,
    Column("lane_id", BigInteger, ForeignKey("lanes.lane_id"), primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),  # protocols.uplink.envelope.BatchKind
    Column("count", Integer, nullable=False),  # observations or events, as the gateway states
    Column("created_at_us", BigInteger, nullable=False),  # the gateway's wall clock
    Column("boot_id", Text, nullable=False),  # IN_ENVELOPE
    Column("hash", LargeBinary, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("payload_hash", LargeBinary, nullable=False),  # IN_ENVELOPE
    Column("signature", LargeBinary, nullable=False),  # IN_ENVELOPE
    Column("signed_by", Text, nullable=False),  # IN_ENVELOPE
    Column("link", Text, nullable=False),  # cloud.vehicles.custody.links.LinkState
    Column("content", Text, nullable=False),  # cloud.vehicles.custody.store.Content
    Column("organization_id", Text, nullable=False),  # the organisation of the gateway when the batch arrived
    Column("vehicle_id", Text, nullable=False),
    Column("received_at_us", BigInteger, nullable=False),
    Column("stored_at_us", BigInteger, nullable=False),  # read as late in the transaction as possible
    Column("historical", Boolean, nullable=False),  # queued without a connection and sent later, beside live data
    Column("traceparent", Text),
    Column("envelope", LargeBinary, nullable=False),  # the bytes as received
)

IN_ENVELOPE = {"boot_id": "", "payload_hash": b"", "signature": b"", "signed_by": ""}
"""Columns that new rows have empty, with this value. Earlier releases filled them and never read them: the envelope has
them, and they were a third of the bytes of a small batch. The next release drops them."""

gap_ranges = Table(
    "gap_ranges",
    metadata,
    # A range of a lane is replaced once: a second gap over the same range fills nothing and is a duplicate.
    Column("lane_id", BigInteger, ForeignKey("lanes.lane_id"), primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("through_sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("why", Text, nullable=False),  # protocols.uplink.gaps.GapReason
    Column("batches", BigInteger, nullable=False),
    Column("observations", BigInteger, nullable=False),
    Column("first_us", BigInteger),  # the time range of the lost data, by the gateway's wall clock
    Column("last_us", BigInteger),
    Column("hash", LargeBinary, nullable=False),
    Column("chain_before", LargeBinary, nullable=False),
    Column("chain_after", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),  # IN_ENVELOPE
    Column("signed_by", Text, nullable=False),  # IN_ENVELOPE
    Column("link", Text, nullable=False),
    Column("organization_id", Text, nullable=False),
    Column("vehicle_id", Text, nullable=False),
    Column("received_at_us", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    # To find the gap that ends right before a batch.
    Index(None, "lane_id", "through_sequence"),
    # For the timeline of an encounter.
    Index(None, "vehicle_id", "received_at_us"),
)

removed_ranges = Table(
    "removed_ranges",
    metadata,
    # Batches that were removed on purpose. A lane has one row for each day of storing, and more if holds divide a day.
    Column("lane_id", BigInteger, ForeignKey("lanes.lane_id"), primary_key=True, autoincrement=False),
    Column("first_sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("hash_before", LargeBinary, nullable=False),  # the chain hash before the first batch
    Column("hash_after", LargeBinary, nullable=False),  # the hash of the last batch, from which the chain continues
    Column("cause", Text, nullable=False),  # cloud.vehicles.custody.removal.RemovalCause
    Column("stored_us", BigInteger, nullable=False),  # when the cloud stored the latest of the batches
    Column("removed_us", BigInteger, nullable=False),
    Column("erasure_id", Text),  # NULL with the next one: not removed by an erasure
    Column("seal", LargeBinary),  # cloud.vehicles.custody.erasure_seal
    Index(None, "lane_id", "last_sequence"),
)

removed_rows = Table(
    "removed_rows",
    metadata,
    # The rows of the batches up to `through_sequence` are past the period of their kind: not all of them are there.
    Column("lane_id", BigInteger, ForeignKey("lanes.lane_id"), primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),  # cloud.foundation.retention.Kind.name
    Column("through_sequence", BigInteger, nullable=False),
)

quarantined_batches = Table(
    "quarantined_batches",
    metadata,
    Column("quarantine_id", row_number(), primary_key=True),
    Column("tenant_id", Text, nullable=False),  # from the topic; not verified for a refused delivery
    Column("gateway_id", Text, nullable=False),
    Column("reason", Text, nullable=False),  # cloud.vehicles.custody.quarantine.Reason
    Column("detail", Text, nullable=False),
    Column("epoch", Text),
    Column("lane", Text),
    Column("sequence", BigInteger),
    Column("octets_hash", LargeBinary, nullable=False),
    Column("octets", LargeBinary),  # NULL where the batch itself is stored too (broken link, unreadable payload)
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("times", BigInteger, nullable=False),  # a gateway resends until it gets an acknowledgement
    UniqueConstraint("tenant_id", "gateway_id", "octets_hash", "reason"),
    # Refusals without a known gateway share one limit, whatever names they claim.
    Index(None, "reason"),
)

quarantine_overflows = Table(
    "quarantine_overflows",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("gateway_id", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("times", BigInteger, nullable=False),  # number of refused batches that were not kept
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
)
