"""Gateways: which box stands for which vehicle, by which key it is recognised, and what it last said about itself."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKeyConstraint, Index, LargeBinary, Table, Text

from cloud.db import metadata

gateways = Table(
    "gateways",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("vehicle_id", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),  # Ed25519, 32 octets
    Column("registered_at_us", BigInteger, nullable=False),
    # What its retained status said last; null until then. `online` is false by the will when the link broke.
    Column("online", Boolean),
    Column("status_at_us", BigInteger),  # when the cloud heard it
    Column("epoch", Text),  # as it says; the epochs that were proved by signed batches are ingest's
    Column("software", Text),
    Column("store_state", Text),
    Column("boot_id", Text),
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    ForeignKeyConstraint(["tenant_id", "vehicle_id"], ["vehicles.tenant_id", "vehicles.id"]),
    Index(None, "tenant_id", "organization_id"),
    Index(None, "tenant_id", "vehicle_id"),
)

silent_gateways = Table(
    "silent_gateways",
    metadata,
    # Those that are told, or known from the beginning, not to be there: what hears of one takes its row away.
    Column("tenant_id", Text, primary_key=True),
    Column("gateway_id", Text, primary_key=True),
    Column("since_us", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
)
