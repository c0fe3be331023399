"""Tables of integration apps and their secrets. A client id is unique over all tenants, because a token request
contains no tenant. Only the SHA-256 of a secret is stored; `secrets.py` explains why this is enough.
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
)

from cloud.foundation.db import metadata

apps = Table(
    "apps",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("organization_id", Text),  # null: the app acts for the tenant, and organisation routes are closed to it
    Column("name", Text, nullable=False),
    Column("grant_types", Text, nullable=False),  # names with a space between, as are the two lists of scopes
    Column("redirect_uris", Text, nullable=False),  # a JSON array
    Column("requested_scopes", Text, nullable=False),
    Column("approved_scopes", Text, nullable=False),
    Column("governance", Text, nullable=False),  # a JSON object with every flag
    Column("secrecy_level", Integer, nullable=False),
    Column("confidential", Boolean, nullable=False),  # false: a public client, which has no secret
    Column("created_at_us", BigInteger, nullable=False),
    Column("deleted_at_us", BigInteger),
    Column("callback_generation", Integer, nullable=False, server_default="1"),
    Column("callback_previous_until_us", BigInteger),
    Column("callback_kid", Text),  # null: the first master key of the installation, as for the next one
    Column("callback_previous_kid", Text),
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    Index(None, "tenant_id", "client_id"),
)

app_secrets = Table(
    "app_secrets",
    metadata,
    Column("client_id", Text, ForeignKey("apps.client_id"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger),  # null: until the next rotation
)

withheld_scopes = Table(
    "withheld_scopes",
    metadata,
    Column("tenant_id", Text, ForeignKey("tenants.id"), primary_key=True),
    Column("scope", Text, primary_key=True),
)

entitled_scopes = Table(
    "entitled_scopes",  # scopes outside of the catalogue
    metadata,
    Column("tenant_id", Text, ForeignKey("tenants.id"), primary_key=True),
    Column("scope", Text, primary_key=True),
)
