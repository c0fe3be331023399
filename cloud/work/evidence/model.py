"""Data classes of evidence and its records.

Both are read as they are stored, since a row may have been changed by hand: an unknown word or text that is no JSON is
for the check to report, and stops neither a reader nor the next record.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from cloud.clinical.epcr import ENCOUNTER_KIND
from cloud.foundation.viewer import SecrecyLevel
from cloud.work.evidence.errors import EvidenceDamaged
from protocols.provenance.canonical_json import JsonObject
from protocols.provenance.signatures import Algorithm
from protocols.provenance.transcript import Signature, SignedRecord, hash_text


class EvidenceKind(StrEnum):
    """The kind of object that evidence is about."""

    ENCOUNTER = ENCOUNTER_KIND
    """An encounter: its mission, the signed batches of its vehicle, and what was done with it."""
    EXPORT = "export"
    """The file of an `export.bulk` job."""
    IMPORT = "import"
    """The file of an `import.bulk` job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One piece of evidence. `kind` is a word of `EvidenceKind`, and `subject_id` the encounter or the job.
    `organization_id` None: of the whole tenant. `secrecy_level` is that of its subject, and limits who may read the
    records. `created_at_us` is set when the evidence is added with its first record."""

    tenant_id: str
    id: str
    kind: str
    subject_id: str
    organization_id: str | None
    secrecy_level: SecrecyLevel
    created_at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record of evidence as stored. `number` orders the records of an installation, and `position` those of their
    evidence, from 1. `operation` is a word of `protocols.provenance.transcript.Operation`. `core` is the canonical JSON
    that was signed, and `leaf_hash` its leaf (32 bytes). `content` is the canonical JSON that `content_hash` in the
    core covers; None where the content is a file."""

    number: int = 0
    tenant_id: str
    evidence_id: str
    position: int
    record_id: str
    operation: str
    signed_at_us: int
    core: str = field(repr=False)
    leaf_hash: bytes
    content: str | None = field(repr=False)
    hmac_kid: str
    hmac_signature: bytes = field(repr=False)
    mldsa_kid: str
    mldsa_signature: bytes = field(repr=False)

    @property
    def core_members(self) -> JsonObject:
        """The core as JSON values; {} if the row was changed and has no JSON object."""
        return _members_of(self.core)

    @property
    def content_members(self) -> JsonObject:
        """The content as JSON values; {} where the content is a file, or was changed and is no JSON object."""
        return {} if self.content is None else _members_of(self.content)

    @property
    def content_hash(self) -> str | None:
        """The hash of the stored content, as a core states it; None where the content is a file."""
        return None if self.content is None else hash_text(hashlib.sha256(self.content.encode()).digest())

    @property
    def stated_content_hash(self) -> str:
        """The hash of the content that the record states, and that was signed."""
        return str(self.core_members.get("content_hash"))

    def signature(self, algorithm: Algorithm) -> Signature:
        """Return the record's signature by this algorithm."""
        if algorithm is Algorithm.HMAC_SHA256:
            return Signature(algorithm=algorithm, kid=self.hmac_kid, value=self.hmac_signature)
        return Signature(algorithm=algorithm, kid=self.mldsa_kid, value=self.mldsa_signature)

    def signed(self, algorithm: Algorithm) -> SignedRecord:
        """Return the record with its signature by this algorithm, as a transcript shows it. Raises `EvidenceDamaged` if
        the row was changed and cannot be shown."""
        core = self.core_members
        if not core:
            raise EvidenceDamaged
        return SignedRecord(core=core, signature=self.signature(algorithm))

    @property
    def as_end(self) -> "EvidenceEnd":
        """The end of the chain if this record is its last one."""
        return EvidenceEnd(self.position, self.record_id, self.leaf_hash)


@dataclass(frozen=True, slots=True)
class EvidenceEnd:
    """The end of the chain of evidence: its number of records, and the id and the leaf (32 bytes) of the last one. None
    of both: it has no record."""

    record_count: int = 0
    last_record_id: str | None = None
    last_leaf_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class EvidenceWithRecords:
    """Evidence with the end of its chain, and its records in their order, those that were read."""

    evidence: Evidence
    end: EvidenceEnd
    records: Sequence[StoredRecord]

    @property
    def has_file(self) -> bool:
        """True if the content is a file, which the object store keeps."""
        return self.evidence.kind == EvidenceKind.EXPORT

    @property
    def contents_missing(self) -> Sequence[StoredRecord]:
        """The records whose content was removed from the database."""
        if self.has_file:
            return ()
        return tuple(one for one in self.records if one.content is None)

    def content_hashes(self, file_hash: str | None = None) -> Mapping[str, str]:
        """Return record → hash of the content after it. It is computed from the content where the database has it, and
        empty where it should have it. For a file it is `file_hash`, as computed from the file; None: the one that the
        record states (contract matrix A-129)."""
        missing = {one.record_id: "" for one in self.contents_missing}
        hashes = {one.record_id: one.content_hash or file_hash or one.stated_content_hash for one in self.records}
        return hashes | missing

    def first_missing(self, count_max: int) -> int | None:
        """Return the position of the first record that the database does not have, None if it has all. `count_max`:
        the limit with which the records were read."""
        for position, record in enumerate(self.records, 1):
            if record.position != position:
                return position
        read = len(self.records)
        return read + 1 if read < min(self.end.record_count, count_max) else None


def _members_of(text: str) -> JsonObject:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
