"""Routes of transcripts of evidence on the API host (contract C-211 … C-240)."""

from typing import Any

from cloud.foundation.http import Host, Parts, RateClass, Route, Scopes
from cloud.work.provenance.handlers import JSON_LD, ProvenanceHandlers
from cloud.work.provenance.schemas import (
    ProvenanceQuery,
    ProvenanceTranscript,
    ProvenanceVerification,
    VerificationWanted,
)
from cloud.work.provenance.transcripts import BODY_BYTES_MAX

TRANSCRIPT = "/v1/evidence/{evidence_id}/provenance"
_DOCUMENT = {
    "type": "object",
    "required": ["@context", "@graph"],
    "properties": {
        "@context": {
            "description": "The address of PROV-O and the definitions of the terms; with `context=strict`, the "
            "address alone."
        },
        "@graph": {"type": "array", "items": {"type": "object"}, "description": "The first node has the transcript."},
    },
}
_ABSENT = "There is no such evidence, or its secrecy level is above the caller's."
_TRANSCRIPT_EXAMPLE: dict[str, Any] = {
    "evidence_id": "ev_abc123",
    "tenant_id": "tnt_123",
    "records": [
        {
            "id": "01HFXY0000000000000000000A",
            "operation": "evidence.create",
            "actor_id": "user_42",
            "actor_kind": "user",
            "content_hash": "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
            "parent_id": None,
            "parent_hash": None,
            "signature": "<hex>",
            "signature_alg": "hmac-sha256",
            "signature_kid": "mk-2026-05",
            "signed_at": "2026-05-08T10:00:00Z",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "job_id": None,
        }
    ],
    "record_count": 1,
    "merkle_root": "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
    "root_signature": "<hex>",
    "root_signature_alg": "hmac-sha256",
    "root_signature_kid": "mk-2026-05",
    "format": "json",
    "version": "2026.4",
}

_READ_ERRORS = (
    "evidence_unknown",
    "evidence_record_unknown",
    "evidence_damaged",
    "evidence_records_missing",
    "tenant_streams_taken",
    "too_many_streams",
)


def routes(parts: Parts) -> tuple[Route, ...]:
    h = ProvenanceHandlers(parts)
    return (
        _row(
            method="GET",
            path=TRANSCRIPT,
            handler=h.read,
            query=ProvenanceQuery,
            response=ProvenanceTranscript,
            other_forms={JSON_LD: _DOCUMENT},
            responses={200: "The transcript.", 404: _ABSENT},
            errors=_READ_ERRORS,
            operation_id="getEvidenceProvenance",
            summary="Get evidence provenance transcript",
            description="The signed operations on a piece of evidence, in order, each chained to the one before, under "
            "a signed Merkle root. With `format=jsonld`, a PROV-O document that contains the same transcript. It has "
            "at most the first 10,000 records; with `ml-dsa-65` these are 72 MB, which are sent in parts.",
            response_example=_TRANSCRIPT_EXAMPLE,
        ),
        _row(
            method="POST",
            path=f"{TRANSCRIPT}/verify",
            handler=h.verify,
            rate_class=RateClass.WRITE,
            body=VerificationWanted,
            body_as_sent=True,
            body_bytes_max=BODY_BYTES_MAX,
            response=ProvenanceVerification,
            responses={
                200: "The result. A transcript that was changed has `valid: false` and its faults.",
                400: "The body is not a transcript of at most 10,000 records.",
                404: _ABSENT,
                413: "The body is larger than 8 MiB. Request a long transcript with `algorithm=hmac-sha256`, which is "
                "a tenth of the size, or check it with `argus-verify`.",
                503: "Too many verifications are in progress.",
            },
            errors=(
                "evidence_unknown",
                "evidence_damaged",
                "verification_busy",
            ),
            operation_id="verifyEvidenceProvenance",
            summary="Verify a provenance transcript",
            description="Checks the signature of each record and of the Merkle root, the order of the records, and the "
            "hash of the content after each. Each fault is reported with the record and the reason. An older "
            "transcript is valid, and `is_latest` is false.",
            request_example={"transcript": {"...": "<full transcript object from GET /provenance>"}},
            response_example={
                "valid": True,
                "evidence_id": "ev_abc123",
                "broken_links": [],
                "checked_records": 5,
                "merkle_root_verified": True,
                "is_latest": True,
                "current_record_count": 5,
                "content": "checked",
            },
        ),
    )


def _row(**facts: Any) -> Route:
    scopes = Scopes.any_of("argus:provenance:read")
    return Route(**{"host": Host.API, "tag": "Evidence", "scopes": scopes, **facts})
