"""Gateways: which box stands for which vehicle, by which key it is recognised, and what it last said about itself."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, Table, Text

from cloud.foundation.db import metadata

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
    # Whether the cloud and the broker accept it: active, suspended or revoked (`model.GatewayAccess`).
    Column("access", Text, nullable=False, server_default="active"),
    Column("access_reason", Text),
    Column("access_at_us", BigInteger),  # when it changed last; null: never
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

gateway_former_keys = Table(
    "gateway_former_keys",
    metadata,
    # What a gateway signed with before its key was replaced. Batches of then are verified with it; a new batch is not.
    Column("tenant_id", Text, primary_key=True),
    Column("gateway_id", Text, primary_key=True),
    Column("public_key", LargeBinary, primary_key=True),
    Column("replaced_at_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
)

authorities = Table(
    "authorities",
    metadata,
    # The certificate authorities of the fleet, newest last; the newest issues, each signs a list of what it revoked.
    Column("id", Text, primary_key=True),
    Column("certificate", LargeBinary, nullable=False),  # X.509, DER
    Column("sealed_key", LargeBinary, nullable=False),  # PKCS #8, sealed under the master key
    Column("added_at_us", BigInteger, nullable=False),
)

gateway_certificates = Table(
    "gateway_certificates",
    metadata,
    # The certificates that gateways show to the broker, as far as the cloud issued or was shown them.
    Column("authority_id", Text, ForeignKey("authorities.id"), primary_key=True),
    Column("serial", Text, primary_key=True),  # hexadecimal; a serial number has up to 160 bits
    Column("tenant_id", Text, nullable=False),
    Column("gateway_id", Text, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    Column("recorded_at_us", BigInteger, nullable=False),
    Column("revoked_at_us", BigInteger),  # for ever; a suspension is the gateway's `access`
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    Index(None, "tenant_id", "gateway_id"),
)
