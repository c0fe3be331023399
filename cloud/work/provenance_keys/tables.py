"""The table of the keys that sign records of provenance with ML-DSA-65."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text, UniqueConstraint

from cloud.foundation.db import metadata, sealed_for

SEALED_FOR = "provenance keys"
"""Purpose under which the master key seals the private keys."""

provenance_keys = Table(
    "provenance_keys",
    metadata,
    # Numbered by the cloud, so that two processes that make the first key at the same time collide here.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kid", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),  # 1952 bytes, FIPS 204
    Column("private_key_sealed", LargeBinary, nullable=False, info=sealed_for(SEALED_FOR, "kid")),  # seed, 32 bytes
    Column("published_at_us", BigInteger, nullable=False),
    Column("signs_from_us", BigInteger),  # null: the next key, which is published but does not sign yet
    Column("retired_at_us", BigInteger),
    Column("covers_until_us", BigInteger, nullable=False),  # always 0: the key stays published in any case
    Column("withdrawn_at_us", BigInteger),  # a stolen key: its signatures from then on prove nothing
    UniqueConstraint("kid"),
)
