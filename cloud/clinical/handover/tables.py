"""Table of share links. It has the hash of each token and nothing by which a link could be opened."""

from sqlalchemy import BigInteger, Column, Index, Table, Text, UniqueConstraint

from cloud.foundation.db import metadata, partial_index

share_links = Table(
    "share_links",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),  # from the vehicle
    Column("token_hash", Text, nullable=False),  # SHA-256, hexadecimal
    Column("encounter_id", Text, nullable=False),  # as the vehicle sent it; the encounter may not exist yet
    Column("organization_id", Text, nullable=False),  # of the gateway when the link arrived
    Column("vehicle_id", Text, nullable=False),  # the same
    Column("author", Text, nullable=False),  # the crew member
    Column("added_at_us", BigInteger, nullable=False),
    Column("revoked_at_us", BigInteger),
    Column("revoked_by", Text),  # a crew member, or `operator`
    Column("announced_at_us", BigInteger),  # the event `epcr.handover.ready` was emitted, or an earlier link's was
    UniqueConstraint("token_hash"),
    Index(None, "tenant_id", "encounter_id"),
    Index(None, "added_at_us"),
    partial_index("ix_share_links_unannounced", "added_at_us", where="announced_at_us IS NULL"),
    partial_index(
        "ix_share_links_pending", "tenant_id", "vehicle_id", "added_at_us", "id", where="announced_at_us IS NULL"
    ),
)
