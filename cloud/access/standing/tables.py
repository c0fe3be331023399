"""Tables of the change log: a version counter, and the changes that it numbers.

The counter is one row. A transaction that records a change locks this row until the commit, so a reader sees versions
without gaps. (A sequence of the database could make version 6 visible before version 5 is committed. A reader that has
read 6 would never look for 5.)
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
