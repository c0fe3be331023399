"""Tables of imported lists: sanctions lists, and lists of labels of wallets.

Each import is a row of `screening_lists` with rows of its own in the other tables. A list is searched only while it is
`current`; the import makes it so in its last transaction, and the list of the same name that was current before is then
`replaced`. The rows of lists that are not current are deleted later, and the row of the list stays: it shows which
edition was searched at a given time.

A listed name is found by its words: `screening_words` has each word of a list once, under each of its keys
(`names.keys_of`), and `screening_names` has each name under each of its words.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKeyConstraint, Index, Integer, Table, Text

from cloud.foundation.db import metadata, partial_index, row_number

screening_lists = Table(
    "screening_lists",
    metadata,
    Column("id", row_number(), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("published_on", Text),  # ISO date, as the file states it
    Column("sha256", Text),  # of the file; null until it was read
    Column("entries", Integer, nullable=False),
    Column("names", Integer, nullable=False),
    Column("wallets", Integer, nullable=False),
    Column("problems", Integer, nullable=False),  # records that could not be used
    # The most entries and wallets of an edition since the operator confirmed a size; null: those of this edition.
    Column("largest", Integer),
    Column("started_at_us", BigInteger, nullable=False),
    Column("current_from_us", BigInteger),
    Column("current_until_us", BigInteger),
    Column("emptied_at_us", BigInteger),  # its rows in the other tables were deleted
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    CheckConstraint("state IN ('staged', 'current', 'replaced', 'refused')", name="state"),
    Index(None, "tenant_id", "name"),
    partial_index("ix_screening_lists_current", "tenant_id", "name", where="state = 'current'", unique=True),
    partial_index("ix_screening_lists_filled", "started_at_us", where="emptied_at_us IS NULL"),
)

screening_entries = Table(
    "screening_entries",
    metadata,
    Column("list_id", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("document", Text, nullable=False),  # JSON (store.py)
    ForeignKeyConstraint(["list_id"], ["screening_lists.id"]),
)

screening_names = Table(
    "screening_names",
    metadata,
    Column("list_id", BigInteger, primary_key=True, autoincrement=False),
    Column("word", Text, primary_key=True),
    Column("entry", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),  # of the name in the entry
    Column("folded", Text, nullable=False),  # the words of the whole name
    ForeignKeyConstraint(["list_id"], ["screening_lists.id"]),
)

screening_words = Table(
    "screening_words",
    metadata,
    Column("list_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("word", Text, primary_key=True),
    Column("names", Integer, nullable=False),  # number of names with this word
    ForeignKeyConstraint(["list_id"], ["screening_lists.id"]),
)

screening_wallets = Table(
    "screening_wallets",
    metadata,
    Column("list_id", BigInteger, primary_key=True, autoincrement=False),
    Column("address", Text, primary_key=True),  # normalized (wallets.py)
    Column("number", Integer, primary_key=True, autoincrement=False),  # in the order of the file
    Column("document", Text, nullable=False),  # JSON (store.py)
    ForeignKeyConstraint(["list_id"], ["screening_lists.id"]),
)
