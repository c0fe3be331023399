"""A counter and the changes that it counts.

The counter is one row: whoever changes something takes its lock until the commit, so the versions that a reader sees
have no holes. (A sequence of the database would hand out 6 before 5 is committed, and a reader past 6 would never
look for 5 again.)
"""

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from cloud.foundation.db import metadata

auth_versions = Table(
    "auth_versions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("version", BigInteger, nullable=False),
)

auth_changes = Table(
    "auth_changes",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),  # a jti, a client id, a user id; empty for keys
    Column("at_us", BigInteger, nullable=False),
)
