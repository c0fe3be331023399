"""Transcript of an evidence record: what happened to it, in order, each step signed and chained to the step before.

Signed bytes (contract matrix A-114, A-115):

- The core of a record is the record without `signature`, `signature_alg` and `signature_kid`.
- The leaf of a record is SHA-256(0x00 ‖ JCS(core)), JCS being canonical JSON (RFC 8785). `parent_hash` is the leaf of
  the record before. `merkle_root` is the root over all leaves (RFC 9162), so both are the same for each algorithm.
- A record's signature is over JCS of `{core, evidence_id, signature_alg, signature_kid, tenant_id}`.
- The root's signature is over JCS of `{evidence_id, merkle_root, record_count, root_signature_alg, root_signature_kid,
  tenant_id, version}`.

So a record cannot be moved to another evidence record or tenant, nor its algorithm relabelled. Keys and context strings
are in `signatures`, the check of a whole transcript in `verification`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from protocols.provenance import merkle
from protocols.provenance.canonical_json import JsonObject, JsonValue, canonical_json
from protocols.provenance.signatures import RECORD_CONTEXT, ROOT_CONTEXT, Algorithm, Signer

VERSION = "2026.4"
"""Version of the transcript format, as the contract names it (C-227)."""
HASH_PREFIX = "sha256:"
SIGNATURE_MEMBERS = ("signature", "signature_alg", "signature_kid")


class Operation(StrEnum):
    """Operation on evidence (contract matrix A-130)."""

    CREATE = "evidence.create"
    READ = "evidence.read"
    UPDATE = "evidence.update"
    REDACT = "evidence.redact"
    EXPORT = "evidence.export"
    TRANSFER = "evidence.transfer"
    VERIFY = "evidence.verify"
    DELETE = "evidence.delete"


VERSION_OPERATIONS = frozenset({Operation.CREATE, Operation.UPDATE, Operation.REDACT, Operation.DELETE})
"""Operations after which the evidence has a new version of its content. A deletion leaves a tombstone."""


class ActorKind(StrEnum):
    """Kind of actor that did the operation (contract matrix A-130)."""

    USER = "user"
    SERVICE = "service"
    SYSTEM = "system"
    JOB = "job"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One operation on evidence, without its signatures.

    `id` is a ULID. `content_hash` is the hash of the evidence's bytes as they were after the operation. `parent_id` and
    `parent_hash` are the identifier and the leaf of the record before, both None in the first. `signed_at` is RFC 3339
    in UTC. `trace_id` has 32 hexadecimal digits. `details` are further facts on the operation, such as the vehicle's
    batches that the content came from; they are signed with the record. They hold no patient data.
    """

    id: str
    operation: Operation
    actor_id: str
    actor_kind: ActorKind
    content_hash: str
    parent_id: str | None
    parent_hash: str | None
    signed_at: str
    trace_id: str | None
    job_id: str | None
    details: JsonObject = field(default_factory=dict)

    def core(self) -> dict[str, JsonValue]:
        """Return the record as JSON without signatures. `details` is absent if there are none."""
        core: dict[str, JsonValue] = {
            "id": self.id,
            "operation": self.operation.value,
            "actor_id": self.actor_id,
            "actor_kind": self.actor_kind.value,
            "content_hash": self.content_hash,
            "parent_id": self.parent_id,
            "parent_hash": self.parent_hash,
            "signed_at": self.signed_at,
            "trace_id": self.trace_id,
            "job_id": self.job_id,
        }
        if self.details:
            core["details"] = self.details
        return core


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature with its algorithm and the identifier of its key."""

    algorithm: Algorithm
    kid: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRecord:
    """A record as JSON (`core`) with one of its signatures, as a transcript shows it."""

    core: JsonObject
    signature: Signature


def core_of(record: JsonObject) -> dict[str, JsonValue]:
    """Return the core of a record of a transcript: the members that the leaf covers."""
    return {name: value for name, value in record.items() if name not in SIGNATURE_MEMBERS}


def record_leaf(core: JsonObject) -> bytes:
    """Return the leaf hash of a record, 32 bytes."""
    return merkle.leaf_hash(canonical_json(core))


def hash_text(digest: bytes) -> str:
    """Return a SHA-256 hash as the contract writes it, such as `sha256:b94d…`."""
    return HASH_PREFIX + digest.hex()


def record_message(core: bytes, *, tenant_id: str, evidence_id: str, algorithm: str, kid: str) -> bytes:
    """Return the bytes that a record's signature covers. `core` is the record's core as canonical JSON."""
    return join_message(core, signed_header(tenant_id=tenant_id, evidence_id=evidence_id, algorithm=algorithm, kid=kid))


def signed_header(*, tenant_id: str, evidence_id: str, algorithm: str, kid: str) -> bytes:
    """Return what all records of a transcript have in common in their signed bytes, for `join_message`."""
    return canonical_json(
        {"evidence_id": evidence_id, "signature_alg": algorithm, "signature_kid": kid, "tenant_id": tenant_id}
    )


@lru_cache(maxsize=256)
def _header_to_sign(tenant_id: str, evidence_id: str, algorithm: str, kid: str) -> bytes:
    """Return the `signed_header`, kept for the next record of the same evidence. Not for received transcripts, whose
    texts may be long."""
    return signed_header(tenant_id=tenant_id, evidence_id=evidence_id, algorithm=algorithm, kid=kid)


def join_message(core: bytes, header: bytes) -> bytes:
    """Return the bytes that a record's signature covers, from its core as canonical JSON and the `signed_header`.

    `core` is the first member in canonical order, so the result is canonical too, and a core is written once for both
    its leaf and its signature.
    """
    return b'{"core":' + core + b"," + header[1:]


def root_message(
    root: bytes, *, tenant_id: str, evidence_id: str, record_count: int, version: str, algorithm: str, kid: str
) -> bytes:
    """Return the bytes that the signature of a Merkle root of `record_count` records covers."""
    return canonical_json(
        {
            "evidence_id": evidence_id,
            "tenant_id": tenant_id,
            "record_count": record_count,
            "merkle_root": hash_text(root),
            "root_signature_alg": algorithm,
            "root_signature_kid": kid,
            "version": version,
        }
    )


def sign_record(
    core: JsonObject, signers: Iterable[Signer], *, tenant_id: str, evidence_id: str
) -> tuple[Signature, ...]:
    """Return the signature of a record by each of `signers`, in their order."""
    return sign_core(canonical_json(core), signers, tenant_id=tenant_id, evidence_id=evidence_id)


def sign_core(core: bytes, signers: Iterable[Signer], *, tenant_id: str, evidence_id: str) -> tuple[Signature, ...]:
    """Return the signatures of a record whose core is canonical JSON already."""
    signatures = []
    for signer in signers:
        message = join_message(core, _header_to_sign(tenant_id, evidence_id, signer.algorithm, signer.kid))
        signatures.append(
            Signature(algorithm=signer.algorithm, kid=signer.kid, value=signer.sign(RECORD_CONTEXT, message))
        )
    return tuple(signatures)


def sign_root(root: bytes, signer: Signer, *, tenant_id: str, evidence_id: str, record_count: int) -> Signature:
    """Return the signature of the Merkle root of `record_count` records."""
    message = root_message(
        root,
        tenant_id=tenant_id,
        evidence_id=evidence_id,
        record_count=record_count,
        version=VERSION,
        algorithm=signer.algorithm,
        kid=signer.kid,
    )
    return Signature(algorithm=signer.algorithm, kid=signer.kid, value=signer.sign(ROOT_CONTEXT, message))


def transcript_root(cores: Iterable[JsonObject]) -> bytes:
    """Return the Merkle root over the records with these cores, in order."""
    return merkle.root(record_leaf(core) for core in cores)


def write_record(record: SignedRecord) -> dict[str, JsonValue]:
    """Return a record as a transcript shows it: its core and one signature."""
    return {
        **record.core,
        "signature": record.signature.value.hex(),
        "signature_alg": record.signature.algorithm.value,
        "signature_kid": record.signature.kid,
    }


def write_transcript(
    records: Sequence[SignedRecord], *, tenant_id: str, evidence_id: str, root: bytes, root_signature: Signature
) -> dict[str, JsonValue]:
    """Return the transcript of an evidence record as JSON (contract C-226, C-227).

    Every record and the root must be signed with the same algorithm. `root` is `transcript_root` of the records, which
    the caller may keep together with its signature.
    """
    assert all(record.signature.algorithm is root_signature.algorithm for record in records)
    envelope = write_envelope(
        len(records), tenant_id=tenant_id, evidence_id=evidence_id, root=root, root_signature=root_signature
    )
    return {**envelope, "records": [write_record(record) for record in records]}


def write_envelope(
    record_count: int, *, tenant_id: str, evidence_id: str, root: bytes, root_signature: Signature
) -> dict[str, JsonValue]:
    """Return a transcript of `record_count` records in which `records` is still empty."""
    return {
        "evidence_id": evidence_id,
        "tenant_id": tenant_id,
        "records": [],
        "record_count": record_count,
        "merkle_root": hash_text(root),
        "root_signature": root_signature.value.hex(),
        "root_signature_alg": root_signature.algorithm.value,
        "root_signature_kid": root_signature.kid,
        "format": "json",
        "version": VERSION,
    }
