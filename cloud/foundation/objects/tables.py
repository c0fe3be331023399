"""The tables of results: their objects, and the references by which they are kept."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from cloud.foundation.db import metadata, partial_index

# One row for each content that a tenant has. The count of references is a column, since two transactions that change
# the references at once must see each other's change.
result_objects = Table(
    "result_objects",
    metadata,
    Column("object_name", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("reference_count", Integer, nullable=False),
    Column("stored_at_us", BigInteger, nullable=False),
    Column("unused_since_us", BigInteger),  # it has no reference; the object is removed next
    partial_index(
        "uq_result_objects_tenant_id_sha256", "tenant_id", "sha256", where="unused_since_us IS NULL", unique=True
    ),
    partial_index("ix_result_objects_unused_since_us", "unused_since_us", where="unused_since_us IS NOT NULL"),
)

result_references = Table(
    "result_references",
    metadata,
    Column("id", Text, primary_key=True),  # of the object that the result belongs to, such as a job
    Column("tenant_id", Text, nullable=False),
    Column("object_name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("stored_at_us", BigInteger, nullable=False),
)
