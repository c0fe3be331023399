"""Tables of evidence and of its records. Rows of both are only added: triggers of the database refuse every change.

`evidence_ends` states the number of records of evidence and the last one. Triggers permit only a number that grows, so
records that were removed at the end are missed as those in between are. Evidence that began before this table has a
row from its next record on. Until then the last record that the database has is taken as its end, so records removed
there are not missed here, only in the tree of the tenant if a head includes them.

The triggers are in the migrations (`m0052_evidence`, `m0056_evidence_ends`). They stop a mistake and a statement by
hand. An administrator who drops them can still change a row, and the signatures and hashes then show it
(`argus-cloud evidence check`).

A record is kept as the bytes that were signed (`core`), and so is the content that its `content_hash` covers, if it is
a document of ours. Neither has data of a patient, so they stay after an erasure, and no retention period ends them.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from cloud.foundation.db import metadata, row_number

evidence = Table(
    "evidence",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # cloud.work.evidence.model.EvidenceKind
    Column("subject_id", Text, nullable=False),  # the encounter or the job; it may have been erased
    Column("organization_id", Text),  # NULL: of a job for the whole tenant
    Column("secrecy_level", SmallInteger, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Index(None, "tenant_id", "created_at_us", "id"),
)

evidence_records = Table(
    "evidence_records",
    metadata,
    Column("number", row_number(), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("evidence_id", Text, nullable=False),
    # From 1 without holes. The unique constraint is the last guard against a chain that divides.
    Column("position", Integer, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("operation", Text, nullable=False),  # protocols.provenance.transcript.Operation
    Column("signed_at_us", BigInteger, nullable=False),
    Column("core", Text, nullable=False),  # the signed bytes: canonical JSON
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("content", Text),  # canonical JSON; NULL where the content is a file
    Column("hmac_kid", Text, nullable=False),
    Column("hmac_signature", LargeBinary, nullable=False),
    Column("mldsa_kid", Text, nullable=False),
    Column("mldsa_signature", LargeBinary, nullable=False),
    ForeignKeyConstraint(["tenant_id", "evidence_id"], ["evidence.tenant_id", "evidence.id"]),
    UniqueConstraint("tenant_id", "evidence_id", "position"),
    UniqueConstraint("tenant_id", "record_id"),
    Index(None, "tenant_id", "number"),
)

evidence_ends = Table(
    "evidence_ends",
    metadata,
    # The end of the chain of evidence, written with each record.
    Column("tenant_id", Text, primary_key=True),
    Column("evidence_id", Text, primary_key=True),
    Column("record_count", Integer, nullable=False),
    Column("last_record_id", Text, nullable=False),
    Column("last_leaf_hash", LargeBinary, nullable=False),
    ForeignKeyConstraint(["tenant_id", "evidence_id"], ["evidence.tenant_id", "evidence.id"]),
)

followed_evidence = Table(
    "followed_evidence",
    metadata,
    # Evidence of encounters whose vehicle may still send batches. Rows change and end, see `following`.
    Column("tenant_id", Text, primary_key=True),
    Column("evidence_id", Text, primary_key=True),
    Column("encounter_id", Text, nullable=False),
    Column("due_at_us", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant_id", "evidence_id"], ["evidence.tenant_id", "evidence.id"]),
    Index(None, "due_at_us"),
)
