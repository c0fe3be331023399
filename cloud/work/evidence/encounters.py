"""Record operations on encounters in their evidence.

The content of such evidence is a document: the encounter's mission, and the ends of its vehicle's signed chains
(`following`). It has ids, times and hashes, and nothing of the care record, so an erasure leaves it.
"""

from collections.abc import Mapping
from typing import Any

from cloud.clinical.epcr import Encounter, evidence_id_of_encounter
from cloud.foundation.arrivals import Installation
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Actor
from cloud.work.evidence.model import Evidence, EvidenceKind
from cloud.work.evidence.recorder import Document, Entry, EvidenceRecorder, entry_of
from cloud.work.evidence.signers import recorder_of
from cloud.work.evidence.store import EvidenceStore
from protocols.provenance.transcript import ActorKind, Operation

CLOUD = "argus-cloud"
"""The actor of records that the cloud makes by itself."""


class EncounterRecorder:
    """Records operations on encounters. It is what clinical slices know as `EncounterEvidence`."""

    def __init__(self, recorder: EvidenceRecorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._store = EvidenceStore()

    async def append(
        self,
        tx: Transaction,
        actor: Actor,
        encounter: Encounter,
        operation: Operation,
        *,
        details: Mapping[str, Any] | None = None,
        job_id: str | None = None,
    ) -> None:
        """Add a record of an operation in its transaction, as `EncounterEvidence` describes."""
        evidence = evidence_of(encounter)
        if operation is Operation.DELETE:
            content = Document({"erased": True})
        elif operation in (Operation.CREATE, Operation.UPDATE, Operation.TRANSFER):
            content = Document(document_of(encounter))
        else:
            content = Document()
        entry = entry_of(actor, operation, content, details=details, job_id=job_id)
        is_new = operation is Operation.CREATE
        first = None if is_new else _creation_of(encounter)
        record = await self._recorder.append(tx, evidence, entry, first=first, expect_new=is_new)
        if operation is Operation.DELETE:
            await self._store.follow_later(tx, evidence.tenant_id, evidence.id, None)
        elif record.position <= 2 or (operation is Operation.UPDATE and encounter.status.is_final):
            await self._store.follow(tx, evidence.tenant_id, evidence.id, encounter.id, self._clock.now_us())

    async def begin_existing(self, tx: Transaction, encounter: Encounter) -> None:
        """Begin the evidence of an encounter that was created by a release without evidence, if it has none."""
        evidence = evidence_of(encounter)
        if await self._recorder.last_content(tx, evidence) is None:
            await self._recorder.append(tx, evidence, _creation_of(encounter))
            if not encounter.status.is_final:
                await self._store.follow(tx, evidence.tenant_id, evidence.id, encounter.id, self._clock.now_us())


def evidence_of(encounter: Encounter) -> Evidence:
    """Return the evidence of an encounter, as it is added if it is new."""
    return Evidence(
        tenant_id=encounter.tenant_id,
        id=evidence_id_of_encounter(encounter),
        kind=EvidenceKind.ENCOUNTER.value,
        subject_id=encounter.id,
        organization_id=encounter.organization_id,
        secrecy_level=encounter.secrecy_level,
    )


def document_of(encounter: Encounter) -> dict[str, Any]:
    """Return the mission of an encounter as members of the evidence's content."""
    return {
        "kind": EvidenceKind.ENCOUNTER.value,
        "encounter_id": encounter.id,
        "organization_id": encounter.organization_id,
        "vehicle_id": encounter.vehicle_id,
        "care_model": encounter.care_model.value,
        "status": encounter.status.value,
        "secrecy_level": encounter.secrecy_level.word,
        "version": encounter.version,
        "created_at": write_moment(encounter.created_at_us),
        "ended_at": write_moment(encounter.ended_at_us),
    }


def _creation_of(encounter: Encounter) -> Entry:
    """Return the first record of an encounter that was created by a release without evidence."""
    return Entry(
        operation=Operation.CREATE,
        actor_id=CLOUD,
        actor_kind=ActorKind.SYSTEM,
        content=Document(document_of(encounter)),
        details={"reason": "created before this installation kept evidence"},
    )


def encounter_evidence(installation: Installation) -> EncounterRecorder:
    """Make the recorder of a process or of a console command."""
    return EncounterRecorder(recorder_of(installation), installation.clock)
