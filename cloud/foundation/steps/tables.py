"""The table of background steps, one row for each step that this database has seen."""

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from cloud.foundation.db import metadata

background_steps = Table(
    "background_steps",
    metadata,
    Column("name", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("rows_done", BigInteger, nullable=False),
    Column("rows_total", BigInteger, nullable=False),
    Column("registered_at_us", BigInteger, nullable=False),
    Column("started_at_us", BigInteger),
    Column("progress_at_us", BigInteger),
    Column("finished_at_us", BigInteger),
    Column("lease_token", BigInteger, nullable=False),
    Column("lease_until_us", BigInteger),
    Column("retry_at_us", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("failure", Text),
)
