"""The people of a tenant. A user name is unique over all tenants: at sign-in nothing else says whose it is."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from cloud.db import metadata

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("organization_id", Text),  # null: of the tenant as a whole
    Column("username", Text, nullable=False),  # folded to lower case
    Column("password_hash", Text, nullable=False),  # argon2id with its parameters
    Column("roles", Text, nullable=False),  # names with a space between
    Column("secrecy_level", Integer, nullable=False),  # the most that they may see
    Column("created_at_us", BigInteger, nullable=False),
    Column("disabled_at_us", BigInteger),
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    UniqueConstraint("username"),
    Index(None, "tenant_id", "id"),
)
