"""Record the files of jobs in evidence: what left by an export, and what came by an import.

Each job has evidence of its own, whose content is the file. The encounters in an export get no record of their own: one
export may have a hundred thousand, and each record costs two signatures. The evidence of the job names what was chosen,
and the audit trail names each identified record that a job read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cloud.clinical.epcr import evidence_id_of
from cloud.foundation.db import Transaction
from cloud.foundation.objects import StoredObject
from cloud.foundation.process import Process
from cloud.foundation.viewer import Actor
from cloud.work.evidence.model import Evidence, EvidenceKind
from cloud.work.evidence.recorder import Document, EvidenceRecorder, File, entry_of
from cloud.work.evidence.signers import recorder_of
from protocols.provenance.transcript import Operation


class JobEvidence:
    """Records the files of jobs."""

    def __init__(self, recorder: EvidenceRecorder) -> None:
        self._recorder = recorder

    async def exported(
        self, tx: Transaction, actor: Actor, job_id: str, file: StoredObject, details: Mapping[str, Any]
    ) -> None:
        """Record that a job has made a file for export, in the transaction that ends the job."""
        signed = {**details, **owner_of(actor)}
        entry = entry_of(actor, Operation.EXPORT, File(file.sha256), details=signed, job_id=job_id)
        await self._recorder.append(tx, self._evidence(actor, EvidenceKind.EXPORT, job_id), entry, expect_new=True)

    async def imported(
        self, tx: Transaction, actor: Actor, job_id: str, pieces: Sequence[StoredObject], details: Mapping[str, Any]
    ) -> None:
        """Record that a job has imported the pieces of a file, in the transaction that ends the job."""
        content = {
            "kind": EvidenceKind.IMPORT.value,
            "job_id": job_id,
            "pieces": [{"sha256": one.sha256.hex(), "size_bytes": one.size_bytes} for one in pieces],
        }
        signed = {**details, **owner_of(actor)}
        entry = entry_of(actor, Operation.CREATE, Document(content), details=signed, job_id=job_id)
        await self._recorder.append(tx, self._evidence(actor, EvidenceKind.IMPORT, job_id), entry, expect_new=True)

    def _evidence(self, actor: Actor, kind: EvidenceKind, job_id: str) -> Evidence:
        return Evidence(
            tenant_id=actor.tenant_id,
            id=evidence_id_of(actor.tenant_id, kind.value, job_id),
            kind=kind.value,
            subject_id=job_id,
            organization_id=actor.organization_id,
            secrecy_level=actor.clearance,
        )


def owner_of(actor: Actor) -> dict[str, Any]:
    """Return what decides who may read the evidence of the actor's job. It is signed with the first record, so the
    check finds a change of the evidence's row."""
    return {"organization_id": actor.organization_id, "secrecy_level": actor.clearance.word}


def job_evidence_of(process: Process) -> JobEvidence:
    """Make the recorder of a process. Call it as `process.shared(job_evidence_of)`."""
    return JobEvidence(recorder_of(process))
