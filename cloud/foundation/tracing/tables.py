"""The table of spans. A row is a span with which a trace begins or continues in a process, and the spans within it."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from cloud.foundation.db import metadata, row_number

spans = Table(
    "spans",
    metadata,
    Column("id", row_number(), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("span_id", Text, nullable=False),
    Column("parent_span_id", Text),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("started_at_us", BigInteger, nullable=False),
    Column("ended_at_us", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    # The spans within this one, as `record.py` writes them; NULL if there are none. Rows of their own would cost
    # several times as much, since each has three indexes.
    Column("inner_spans", Text),
    Index(None, "tenant_id", "trace_id"),
    Index(None, "ended_at_us"),
)
