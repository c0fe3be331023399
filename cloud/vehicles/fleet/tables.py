"""The tables of gateways, their former keys, certificates and authorities."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, Table, Text

from cloud.foundation.db import metadata, sealed_for

SEALED_FOR = "certificate authority"
"""Purpose under which the master key seals the keys of authorities."""

gateways = Table(
    "gateways",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("vehicle_id", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),  # Ed25519, 32 bytes
    Column("registered_at_us", BigInteger, nullable=False),
    # From the retained status; null until one arrived. The will sets `online` to false when the connection breaks.
    Column("online", Boolean),
    Column("status_at_us", BigInteger),  # when the cloud received it
    Column("epoch", Text),  # from its status; `gateway_epochs` has the epochs that signed batches proved
    Column("software", Text),
    Column("store_state", Text),
    Column("boot_id", Text),
    # Whether the cloud and the broker accept it: active, suspended or revoked (`model.GatewayAccess`).
    Column("access", Text, nullable=False, server_default="active"),
    Column("access_reason", Text),
    Column("access_at_us", BigInteger),  # the last change; null: never
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    ForeignKeyConstraint(["tenant_id", "vehicle_id"], ["vehicles.tenant_id", "vehicles.id"]),
    Index(None, "tenant_id", "organization_id"),
    Index(None, "tenant_id", "vehicle_id"),
)

silent_gateways = Table(
    "silent_gateways",
    metadata,
    # Gateways that are reported as offline, or were never online. The next status deletes the row.
    Column("tenant_id", Text, primary_key=True),
    Column("gateway_id", Text, primary_key=True),
    Column("since_us", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
)

gateway_former_keys = Table(
    "gateway_former_keys",
    metadata,
    # Signing keys of gateways before a replacement. They verify batches that arrived before the replacement only.
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
    # The certificate authorities of the fleet. The newest issues certificates; each signs its own revocation list.
    Column("id", Text, primary_key=True),
    Column("certificate", LargeBinary, nullable=False),  # X.509, DER
    Column("sealed_key", LargeBinary, nullable=False, info=sealed_for(SEALED_FOR, "id")),  # PKCS #8
    Column("added_at_us", BigInteger, nullable=False),
)

gateway_certificates = Table(
    "gateway_certificates",
    metadata,
    # The certificates with which gateways connect to the broker, as far as the cloud issued or recorded them.
    Column("authority_id", Text, ForeignKey("authorities.id"), primary_key=True),
    Column("serial", Text, primary_key=True),  # hexadecimal; a serial number has up to 160 bits
    Column("tenant_id", Text, nullable=False),
    Column("gateway_id", Text, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    Column("recorded_at_us", BigInteger, nullable=False),
    Column("revoked_at_us", BigInteger),  # permanent; a suspension is the gateway's `access`
    ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    Index(None, "tenant_id", "gateway_id"),
)
