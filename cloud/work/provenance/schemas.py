"""Queries, bodies and responses of transcripts of evidence (contract C-211 … C-240)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud.foundation.http import Query, whole_up_to
from cloud.work.provenance.files import ContentNotChecked
from cloud.work.provenance.transcripts import RECORDS_MAX
from protocols.provenance.reasons import Reason
from protocols.provenance.signatures import Algorithm
from protocols.provenance.transcript import ActorKind, Operation

_ALGORITHMS = Literal["hmac-sha256", "ml-dsa-65"]
_HASH = Field(pattern="^sha256:[0-9a-f]{64}$")


class ProvenanceQuery(Query):
    """The form of a transcript."""

    format: Literal["json", "jsonld"] = Field(default="json", description="`jsonld` is a PROV-O document.")
    algorithm: _ALGORITHMS = Field(
        default=Algorithm.HMAC_SHA256.value,
        description="The signatures to show. `ml-dsa-65` can be verified offline with the published key.",
    )
    context: Literal["inline", "strict"] = Field(
        default="inline",
        description="With `format=jsonld`, `strict` leaves the definitions of terms out of `@context`, which is then "
        "the address alone.",
    )
    proof_of: str | None = Field(
        default=None, max_length=64, description="Id of a record: adds the proof that the Merkle root includes it."
    )
    consistent_with: Annotated[int, whole_up_to(RECORDS_MAX)] | None = Field(
        default=None,
        description="Number of records of an older transcript: adds the proof that this transcript begins with it.",
    )


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProvenanceRecord(_Response):
    """One operation on the evidence."""

    id: str = Field(description="A ULID.")
    operation: str = Field(json_schema_extra={"enum": [one.value for one in Operation]})
    actor_id: str
    actor_kind: str = Field(json_schema_extra={"enum": [one.value for one in ActorKind]})
    content_hash: str = Field(description="SHA-256 of the content of the evidence after the operation.")
    parent_id: str | None = Field(description="The record before; null in the first.")
    parent_hash: str | None = Field(description="The leaf hash of the record before; null in the first.")
    signed_at: str = Field(json_schema_extra={"format": "date-time"})
    trace_id: str | None
    job_id: str | None
    details: dict[str, Any] | None = Field(
        default=None, description="Further facts on the operation, such as the vehicle's batches. Absent without any."
    )
    signature: str = Field(description="Hexadecimal.")
    signature_alg: _ALGORITHMS
    signature_kid: str = Field(description="Id of the key that made the signature.")


class InclusionProof(_Response):
    """The proof that a record is in the tree (RFC 9162, section 2.1.3)."""

    record_id: str
    index: int = Field(description="Place of the record, from 0.")
    leaf_hash: str = _HASH
    hashes: list[str]


class ConsistencyProof(_Response):
    """The proof that an older tree is the beginning of this one (RFC 9162, section 2.1.4)."""

    record_count: int = Field(description="Records of the older tree.")
    merkle_root: str = _HASH
    hashes: list[str]


class ProvenanceTranscript(_Response):
    """The operations on a piece of evidence, in order, each signed and chained to the one before."""

    evidence_id: str
    tenant_id: str
    records: list[ProvenanceRecord]
    record_count: int
    merkle_root: str = _HASH
    root_signature: str = Field(description="Hexadecimal.")
    root_signature_alg: _ALGORITHMS
    root_signature_kid: str
    format: Literal["json"]
    version: str = Field(description="Version of the form of transcripts.")
    current_record_count: int | None = Field(
        default=None,
        description="Number of records of the evidence; present if the transcript has only the first ones.",
    )
    inclusion_proof: InclusionProof | None = Field(default=None, description="Present with `proof_of`.")
    consistency_proof: ConsistencyProof | None = Field(default=None, description="Present with `consistent_with`.")


class VerificationWanted(BaseModel):
    """A transcript to verify."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    transcript: dict[str, Any] = Field(
        description="The response of the transcript operation, in its JSON or its JSON-LD form."
    )


class ProvenanceFault(_Response):
    """A fault of a transcript."""

    record_id: str | None = Field(description="The record that is not verified; null: the transcript as a whole.")
    index: int | None = Field(description="Place of the record in the transcript, from 0.")
    reason: str = Field(json_schema_extra={"enum": [one.value for one in Reason]})


class ProvenanceVerification(_Response):
    """The result of a verification."""

    valid: bool
    evidence_id: str
    broken_links: list[ProvenanceFault]
    checked_records: int
    merkle_root_verified: bool = Field(
        description="The root fits the records, its signature is valid, and each record is verified."
    )
    is_latest: bool = Field(description="False: the evidence has further records, or the transcript is not valid.")
    current_record_count: int
    consistency_proof: ConsistencyProof | None = Field(
        default=None, description="Present if the transcript is valid and not the latest."
    )
    content: Literal["checked", "not_checked"] = Field(
        description="`checked`: the hash of the content after each operation was computed again. `not_checked`: the "
        "content is a file that was not read, and its hash was compared with the cloud's own record only."
    )
    content_reason: ContentNotChecked | None = Field(
        default=None,
        description="Why the content was not checked: the file is no longer stored, has more than 256 MiB, or the "
        "object store did not respond. Absent if it was checked.",
    )
