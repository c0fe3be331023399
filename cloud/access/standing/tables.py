"""Tables of the change log: a version counter, and the changes that it numbers.

A transaction that records a change locks the counter's row until the commit, so a reader sees versions without gaps.
(With a database sequence, version 6 could be visible before version 5 is committed, and a reader of 6 would miss 5.)
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
