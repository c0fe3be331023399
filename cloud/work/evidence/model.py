"""Data classes of evidence and its records."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from cloud.clinical.epcr import ENCOUNTER_KIND
from cloud.foundation.viewer import SecrecyLevel
from protocols.provenance.canonical_json import JsonObject
from protocols.provenance.signatures import Algorithm
from protocols.provenance.transcript import Operation, Signature, SignedRecord


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
    """One piece of evidence. `subject_id` is the encounter or the job. `organization_id` None: of the whole tenant.
    `secrecy_level` is that of its subject, and limits who may read the records."""

    tenant_id: str
    id: str
    kind: EvidenceKind
    subject_id: str
    organization_id: str | None
    secrecy_level: SecrecyLevel
    created_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record of evidence as stored. `number` orders the records of an installation, and `position` those of their
    evidence, from 1. `core` is the canonical JSON that was signed, and `leaf_hash` its leaf (32 bytes). `content` is
    the canonical JSON that `content_hash` in the core covers; None where the content is a file."""

    number: int = 0
    tenant_id: str
    evidence_id: str
    position: int
    record_id: str
    operation: Operation
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
        """The core as JSON values."""
        members: JsonObject = orjson.loads(self.core)
        return members

    @property
    def content_members(self) -> JsonObject:
        """The content as JSON values; {} where the content is a file."""
        members: JsonObject = {} if self.content is None else orjson.loads(self.content)
        return members

    def signature(self, algorithm: Algorithm) -> Signature:
        """Return the record's signature by this algorithm."""
        if algorithm is Algorithm.HMAC_SHA256:
            return Signature(algorithm=algorithm, kid=self.hmac_kid, value=self.hmac_signature)
        return Signature(algorithm=algorithm, kid=self.mldsa_kid, value=self.mldsa_signature)

    def signed(self, algorithm: Algorithm) -> SignedRecord:
        """Return the record with its signature by this algorithm, as a transcript shows it."""
        return SignedRecord(core=self.core_members, signature=self.signature(algorithm))


@dataclass(frozen=True, slots=True)
class EvidenceWithRecords:
    """Evidence with its records in their order."""

    evidence: Evidence
    records: Sequence[StoredRecord]
