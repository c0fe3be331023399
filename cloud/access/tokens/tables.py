"""Tables of signing keys, and of tokens that were revoked before they expired."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from cloud.foundation.db import metadata, sealed_for

SEALED_FOR = "signing keys"
"""Purpose under which the master key seals the private keys."""

signing_keys = Table(
    "signing_keys",
    metadata,
    # Numbered by the cloud: when two processes both make the first key they collide here, and the later one uses the
    # other's.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kid", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),  # DER, SubjectPublicKeyInfo
    Column("private_key_sealed", LargeBinary, nullable=False, info=sealed_for(SEALED_FOR, "kid")),  # PKCS#8
    Column("published_at_us", BigInteger, nullable=False),
    Column("signs_from_us", BigInteger),  # null: the next key, which is published but does not sign yet
    Column("retired_at_us", BigInteger),
    Column("covers_until_us", BigInteger, nullable=False),  # the latest expiry of a token that it signed
    Column("withdrawn_at_us", BigInteger),  # time of the withdrawal of a compromised key, which is unknown from then on
    UniqueConstraint("kid"),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("jti", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),  # the row may be deleted afterwards
    Column("revoked_at_us", BigInteger, nullable=False),
    Index(None, "expires_at_us"),
)
