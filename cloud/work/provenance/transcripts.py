"""Check a transcript that a caller sent against the records of the cloud, and make proofs.

Neither a database nor a clock is used here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from cloud.foundation.http import BodyMalformed, read_json
from cloud.work.evidence import EvidenceWithRecords, StoredRecord
from cloud.work.provenance.files import ContentNotChecked, FileHash
from protocols.errors import RemoteProtocolError
from protocols.provenance import merkle
from protocols.provenance.prov_o import is_document, read_document
from protocols.provenance.reasons import Reason
from protocols.provenance.received import RECORDS_MAX as RECORDS_MAX
from protocols.provenance.received import TRANSCRIPT_BYTES_MAX, ReceivedTranscript, read_transcript
from protocols.provenance.signatures import RECORD_CONTEXT, Algorithm, VerifyKeys
from protocols.provenance.transcript import hash_text, record_message
from protocols.provenance.verification import BrokenLink, verify

BODY_BYTES_MAX = TRANSCRIPT_BYTES_MAX
_VALUES_MAX = 400_000
"""Values of a body: those of 10 000 records, twice, since the JSON-LD form has a graph beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A transcript that a caller sent. `format` is `json` or `jsonld`; `graph_matches` is None without a graph."""

    transcript: ReceivedTranscript
    format: str
    graph_matches: bool | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The cloud's own evidence: its records, in order, the number of records that the evidence states, and the
    hash of its file or why that was not read; `file` is None where the content is no file."""

    evidence: EvidenceWithRecords
    record_count: int
    file: FileHash | ContentNotChecked | None = None

    @property
    def records(self) -> Sequence[StoredRecord]:
        """The records of the evidence."""
        return self.evidence.records

    @property
    def is_whole(self) -> bool:
        """True if all records that belong to a transcript are here."""
        return self.evidence.first_missing(RECORDS_MAX) is None

    def content_hashes(self) -> Mapping[str, str]:
        """Compute record → hash of the content after it, as the cloud has it."""
        return self.evidence.content_hashes(self.file.text if isinstance(self.file, FileHash) else None)

    def leaves(self) -> list[bytes]:
        """Compute the leaf of each record from the bytes that were signed."""
        return [merkle.leaf_hash(record.core.encode()) for record in self.records]


def read_body(raw: bytes) -> Sent:
    """Read the body of a verification. Takes half a second at the limit, so it runs in a thread. Raises
    `BodyMalformed`, which quotes nothing of the body."""
    body = read_json(raw, _VALUES_MAX)
    if set(body) != {"transcript"}:
        raise BodyMalformed("(It has one member, `transcript`.)")
    value: Any = body["transcript"]
    graph_matches = None
    try:
        if is_document(value):
            value, graph_matches = read_document(value)
        transcript = read_transcript(value)
    except RemoteProtocolError as error:
        raise BodyMalformed(f"(The transcript is malformed: {error.reason}.)") from None
    return Sent(
        transcript=transcript, format="json" if graph_matches is None else "jsonld", graph_matches=graph_matches
    )


def check(sent: Sent, ledger: Ledger, keys: VerifyKeys, *, tenant_id: str, evidence_id: str) -> dict[str, Any]:
    """Check a transcript against the keys and the cloud's own records, and return the result as the contract shows it
    (C-236, C-237). The check is linear; a signature takes 0.13 ms, so it runs in a thread."""
    leaves = ledger.leaves()
    names = {"tenant_id": tenant_id, "evidence_id": evidence_id}
    verdict = verify(
        sent.transcript,
        keys,
        **names,
        content_hashes=ledger.content_hashes(),
        ledger={record.record_id: leaf for record, leaf in zip(ledger.records, leaves, strict=True)},
        is_confirmed=_confirmation(ledger, keys, **names),
    )
    graph = (BrokenLink(None, Reason.GRAPH_MISMATCH),) if sent.graph_matches is False else ()
    broken = (*graph, *verdict.broken_links)
    count = len(sent.transcript.records)
    result: dict[str, Any] = {
        "valid": not broken,
        "evidence_id": evidence_id,
        "broken_links": [{"record_id": one.record_id, "index": one.index, "reason": one.reason} for one in broken],
        "checked_records": verdict.checked_records,
        "merkle_root_verified": verdict.merkle_root_verified,
        "is_latest": not broken and count == ledger.record_count,
        "current_record_count": ledger.record_count,
        "content": "checked",
    }
    if isinstance(ledger.file, ContentNotChecked):
        result |= {"content": "not_checked", "content_reason": ledger.file.value}
    if not broken and 0 < count < len(leaves) and ledger.is_whole:
        result["consistency_proof"] = consistency(leaves, count)
    return result


def _confirmation(ledger: Ledger, keys: VerifyKeys, *, tenant_id: str, evidence_id: str) -> Callable[[str], bool]:
    """Return a function that checks the HMAC of a record of the ledger, by its id. A thief of the published key cannot
    make it, so a record that has it stays valid when that key is withdrawn."""
    rows = {record.record_id: record for record in ledger.records}
    find = cache(partial(keys.find, Algorithm.HMAC_SHA256))

    def is_confirmed(record_id: str) -> bool:
        row = rows.get(record_id)
        key = None if row is None else find(row.hmac_kid)
        if row is None or key is None:
            return False
        message = record_message(
            row.core.encode(),
            tenant_id=tenant_id,
            evidence_id=evidence_id,
            algorithm=Algorithm.HMAC_SHA256.value,
            kid=row.hmac_kid,
        )
        return key.verify(RECORD_CONTEXT, message, row.hmac_signature)

    return is_confirmed


def inclusion(ids: Sequence[str], leaves: Sequence[bytes], record_id: str) -> dict[str, Any] | None:
    """Return the proof that the tree has this record, None if none of `ids`, those of the leaves, is its id."""
    if record_id not in ids:
        return None
    index = ids.index(record_id)
    hashes = [hash_text(one) for one in merkle.inclusion_proof(leaves, index)]
    return {"record_id": record_id, "index": index, "leaf_hash": hash_text(leaves[index]), "hashes": hashes}


def consistency(leaves: Sequence[bytes], count: int) -> dict[str, Any]:
    """Return the proof that the tree over the first `count` leaves is the beginning of the tree over `leaves`."""
    return {
        "record_count": count,
        "merkle_root": hash_text(merkle.root(leaves[:count])),
        "hashes": [hash_text(one) for one in merkle.consistency_proof(leaves, count)],
    }
