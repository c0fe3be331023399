"""Read and verify transcripts of evidence.

A root is signed when a transcript is read (contract matrix A-112), and the signature is kept, since one of ML-DSA-65
takes 0.7 ms and is different each time. Verifications run one after the other (`turns`).
"""

from collections.abc import Sequence
from typing import Any

import structlog

from cloud.access.audit import Audit
from cloud.foundation.db import Transaction
from cloud.foundation.objects import object_store_of
from cloud.foundation.process import Process
from cloud.foundation.viewer import Actor, Viewer
from cloud.work.evidence import EvidenceStore, EvidenceUnknown, StoredRecord
from cloud.work.provenance.errors import EvidenceRecordsMissing, EvidenceRecordUnknown
from cloud.work.provenance.files import EvidenceFiles
from cloud.work.provenance.long_transcripts import PAGE, LongTranscript
from cloud.work.provenance.transcripts import RECORDS_MAX, Ledger, check, consistency, inclusion, read_body
from cloud.work.provenance.turns import Turns
from cloud.work.provenance_keys import RecordSigner
from protocols.bounded_map import BoundedMap
from protocols.provenance import merkle
from protocols.provenance.signatures import Algorithm, Signer
from protocols.provenance.transcript import Signature, sign_root, write_envelope, write_record

ROOTS_KEPT = 1_000
"""Signatures of roots that a process keeps: 4 MB with ML-DSA-65."""

log = structlog.get_logger()


class Provenance:
    """The use cases of transcripts."""

    def __init__(self, process: Process) -> None:
        self._database = process.database
        self._signer = process.shared(RecordSigner.of)
        self._store = EvidenceStore()
        self._audit = Audit(process.clock)
        self._roots: BoundedMap[tuple[str, str, bytes, Algorithm, str], Signature] = BoundedMap(ROOTS_KEPT)
        self._turns = Turns()
        self._files = EvidenceFiles(object_store_of(process.settings))

    @classmethod
    def of(cls, process: Process) -> "Provenance":
        return cls(process)

    async def transcript(
        self,
        viewer: Viewer,
        evidence_id: str,
        algorithm: Algorithm,
        *,
        proof_of: str | None = None,
        consistent_with: int | None = None,
    ) -> dict[str, Any] | LongTranscript:
        """Return the transcript of evidence with the signatures of `algorithm`, and the requested proofs beside it. It
        has the first `RECORDS_MAX` records, and `current_record_count` if there are more.
        Raises `EvidenceUnknown`, also below the evidence's secrecy level; `EvidenceRecordsMissing`;
        `EvidenceRecordUnknown`, also if the evidence has fewer records than `consistent_with`."""
        async with self._database.read() as tx:
            record_count = await self._record_count(tx, viewer, evidence_id)
            ids, leaves, page = await self._chain(tx, viewer.tenant_id, evidence_id, record_count)
            signers = await self._signer.of_tenant(tx, viewer.tenant_id)
        signer = next(one for one in signers if one.algorithm is algorithm)
        root = merkle.root(leaves)
        document: dict[str, Any] = write_envelope(
            len(leaves),
            tenant_id=viewer.tenant_id,
            evidence_id=evidence_id,
            root=root,
            root_signature=self._root_signature(viewer.tenant_id, evidence_id, root, len(leaves), signer),
        )
        if record_count > len(leaves):
            document["current_record_count"] = record_count
        if proof_of is not None:
            proof = inclusion(ids, leaves, proof_of)
            if proof is None:
                raise EvidenceRecordUnknown
            document["inclusion_proof"] = proof
        if consistent_with is not None:
            if consistent_with > len(leaves):
                raise EvidenceRecordUnknown(f"(It has {len(leaves)}.)")
            document["consistency_proof"] = consistency(leaves, consistent_with)
        if len(leaves) > len(page):
            return LongTranscript(self._database, document, algorithm)
        return document | {"records": [write_record(record.signed(algorithm)) for record in page]}

    async def verify(self, actor: Actor, evidence_id: str, raw: bytes) -> dict[str, Any]:
        """Verify the transcript in a request's body, and write an audit entry (contract C-240). Raises `BodyMalformed`,
        `EvidenceUnknown`, `VerificationBusy`."""
        with self._turns.place(actor.tenant_id) as place:
            sent = await place.run(lambda: read_body(raw))
            async with self._database.read() as tx:
                record_count = await self._record_count(tx, actor, evidence_id)
                found = await self._store.transcript_of(tx, actor.tenant_id, evidence_id)
                assert found is not None, "it was visible in this transaction"
                file = await self._files.find(tx, found.evidence.subject_id) if found.has_file else None
            content = await self._files.read(actor.tenant_id, file) if found.has_file else None
            ledger = Ledger(found, record_count, content)
            keys = await self._signer.verify_keys(actor.tenant_id)
            names = {"tenant_id": actor.tenant_id, "evidence_id": evidence_id}
            result = await place.run(lambda: check(sent, ledger, keys, **names))
        metadata = {
            "record_count": result["checked_records"],
            "format": sent.format,
            "algorithm": sent.transcript.root_algorithm[:32],
            "valid": result["valid"],
        }
        async with self._database.transaction() as tx:
            await self._audit.record(tx, actor, "evidence.verify", evidence_id, metadata=metadata)
        return result

    async def _record_count(self, tx: Transaction, viewer: Viewer, evidence_id: str) -> int:
        """Return the number of records that visible evidence states. Raises `EvidenceUnknown`."""
        if await self._store.find(tx, viewer, evidence_id) is None:
            raise EvidenceUnknown
        end = await self._store.end_of(tx, viewer.tenant_id, evidence_id)
        if end.record_count == 0:
            raise EvidenceUnknown
        return end.record_count

    async def _chain(
        self, tx: Transaction, tenant_id: str, evidence_id: str, record_count: int
    ) -> tuple[list[str], list[bytes], Sequence[StoredRecord]]:
        """Return the ids and the leaves of all records of a transcript, computed from the bytes that were signed, and
        the first page of records. Memory holds one page more. Raises `EvidenceRecordsMissing`."""
        ids: list[str] = []
        leaves: list[bytes] = []
        first: Sequence[StoredRecord] = ()
        last = min(record_count, RECORDS_MAX)
        while len(ids) < last:
            count = min(PAGE, last - len(ids))
            page = await self._store.records_of(tx, tenant_id, evidence_id, after=len(ids), count=count)
            for position, record in enumerate(page, len(ids) + 1):
                if record.position != position:
                    raise self._missing(evidence_id, position)
            first = first or page
            ids += [record.record_id for record in page]
            leaves += [merkle.leaf_hash(record.core.encode()) for record in page]
            if len(page) < count:
                raise self._missing(evidence_id, len(ids) + 1)
        return ids, leaves, first

    def _missing(self, evidence_id: str, position: int) -> EvidenceRecordsMissing:
        log.error("evidence.records_missing", evidence_id=evidence_id, position=position)
        return EvidenceRecordsMissing()

    def _root_signature(self, tenant_id: str, evidence_id: str, root: bytes, count: int, signer: Signer) -> Signature:
        key = (tenant_id, evidence_id, root, signer.algorithm, signer.kid)
        return self._roots.use(
            key, lambda: sign_root(root, signer, tenant_id=tenant_id, evidence_id=evidence_id, record_count=count)
        )
