"""Tables of users, sessions, known browsers, recovery codes and counted sign-in failures. A user name is unique over
all tenants, because nothing else at sign-in identifies the tenant. Of cookies and recovery codes only the SHA-256 is
stored, so a copy of the database gives no access.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from cloud.foundation.db import metadata, sealed_for

SEALED_FOR = "second factor"
"""Purpose under which the master key seals the secrets of second factors."""

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.id"), nullable=False),
    Column("organization_id", Text),  # null: the user belongs to the tenant as a whole
    Column("username", Text, nullable=False),  # folded to lower case
    Column("password_hash", Text, nullable=False),  # argon2id with its parameters
    Column("roles", Text, nullable=False),  # names with a space between
    Column("secrecy_level", Integer, nullable=False),  # the highest level that the user may see
    Column("created_at_us", BigInteger, nullable=False),
    Column("disabled_at_us", BigInteger),
    Column(
        "totp_secret_sealed", LargeBinary, info=sealed_for(SEALED_FOR, "id")
    ),  # null: no second factor; sealed with the master key
    Column("totp_step", BigInteger),  # the last time step whose code was used: no code works twice
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    UniqueConstraint("username"),
    Index(None, "tenant_id", "id"),
)

sign_in_sessions = Table(
    "sign_in_sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False),
    Column("authenticated_at_us", BigInteger, nullable=False),
    Column("second_factor_at_us", BigInteger),
    Column("seen_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    Index(None, "user_id"),
    Index(None, "expires_at_us"),
)

known_browsers = Table(
    "known_browsers",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False),
    Column("seen_at_us", BigInteger, nullable=False),
    Index(None, "user_id", "seen_at_us"),
    Index(None, "seen_at_us"),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", Text, ForeignKey("users.id"), primary_key=True),
    Column("digest", LargeBinary, primary_key=True),  # a used code is deleted
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("subject", LargeBinary, primary_key=True),  # a digest, so that it does not disclose who tried which name
    Column("failures", Integer, nullable=False),
    Column("blocked_until_us", BigInteger, nullable=False),
    Column("forgotten_at_us", BigInteger, nullable=False),
    Index(None, "forgotten_at_us"),
)
