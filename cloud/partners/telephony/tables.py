"""The tables of telephony providers and routes. The partial indexes keep one default and one active route each."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, Table, Text

from cloud.foundation.db import metadata, partial_index, sealed_for

SEALED_FOR = "telephony credentials"
"""Purpose under which the master key seals credentials."""

telephony_providers = Table(
    "telephony_providers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("carrier", Text, nullable=False),
    Column("credentials_sealed", LargeBinary, nullable=False, info=sealed_for(SEALED_FOR, "id")),
    Column("is_default", Boolean, nullable=False),
    Column("disabled_at_us", BigInteger),
    Column("checked_at_us", BigInteger),  # null: not checked since the credentials were set
    Column("check_outcome", Text),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Index(None, "tenant_id", "id"),
    partial_index("ux_telephony_providers_default", "tenant_id", where="is_default", unique=True),
)

telephony_routes = Table(
    "telephony_routes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("provider_id", Text, ForeignKey("telephony_providers.id"), nullable=False),
    Column("did", Text),  # E.164; null: the route is for a subaccount
    Column("subaccount", Text),
    Column("subsystem", Text, nullable=False),
    Column("label", Text),
    Column("disabled_at_us", BigInteger),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Index(None, "tenant_id", "id"),
    Index(None, "tenant_id", "did"),
    partial_index("ux_telephony_routes_did", "provider_id", "did", where="disabled_at_us IS NULL", unique=True),
    partial_index(
        "ux_telephony_routes_subaccount", "provider_id", "subaccount", where="disabled_at_us IS NULL", unique=True
    ),
)
