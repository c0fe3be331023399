"""Tables of the tree of a tenant's evidence records, and of its signed heads.

`evidence_tree_nodes` has the leaves in the order in which the tree took them, and every full subtree of 256 nodes of
the level below, so that any proof reads some hundred rows, whatever the size of the tree. Triggers (`m0054`) refuse
every change of its rows and of heads, but for the time stamp of a head that has none.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, SmallInteger, Table, Text, text

from cloud.foundation.db import metadata, partial_index

evidence_trees = Table(
    "evidence_trees",
    metadata,
    Column("tenant_id", Text, ForeignKey("tenants.id"), primary_key=True),
    Column("size", BigInteger, nullable=False),  # leaves that the tree has taken
    Column("scanned_number", BigInteger, nullable=False),  # the present pass has looked at records up to this number
    # The present pass began behind this number: the tree has every record up to it. Transactions do not commit in the
    # order of the numbers, and a pass leaves out records of today, so it is often far behind `high_number`.
    Column("start_number", BigInteger, nullable=False, server_default=text("0")),
    Column("high_number", BigInteger, nullable=False),  # the newest record of the tree when the pass before ended
    Column("ended_at_us", BigInteger, nullable=False, server_default=text("0")),  # when the pass before ended
    Column("due_at_us", BigInteger, nullable=False),  # of the next head
    Column("heads", BigInteger, nullable=False, server_default=text("0")),  # that were signed
    Column("damaged_at_us", BigInteger),  # the last pass ended here, since rows of the tree were changed by hand
    Index(None, "due_at_us"),
)

evidence_tree_nodes = Table(
    "evidence_tree_nodes",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),  # 0: a leaf; n: 256^n leaves
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("record_number", BigInteger),  # of a leaf: `evidence_records.number`
    Index(None, "tenant_id", "record_number", unique=True),
)

tree_heads = Table(
    "tree_heads",
    metadata,
    Column("tenant_id", Text, ForeignKey("tenants.id"), primary_key=True),
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("root_hash", LargeBinary, nullable=False),
    Column("signed_at_us", BigInteger, nullable=False),
    Column("signature_kid", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),  # ML-DSA-65
    Column("stamp_due_us", BigInteger),  # null: stamped, or given up
    Column("stamp_attempts", Integer, nullable=False),
    Column("stamp_failure", Text),  # why the last attempt failed
    Column("stamped_at_us", BigInteger),  # the time that the service confirms
    Column("stamp", LargeBinary),  # the response of the service (RFC 3161, DER)
    partial_index("ix_tree_heads_stamp_due_us", "stamp_due_us", where="stamp_due_us IS NOT NULL"),
)
