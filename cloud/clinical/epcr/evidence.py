"""The evidence of an encounter: its id, and the interface by which an operation on the encounter is recorded in it.

An operation and its record are written in one transaction (contract matrix A-123). The slice `cloud.work.evidence`
keeps the records and signs them; `cloud/supplies.py` supplies it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

from cloud.clinical.epcr.model import Encounter
from cloud.foundation.arrivals import Installation
from cloud.foundation.db import Transaction
from cloud.foundation.ids import ALPHABET
from cloud.foundation.supplies import Need
from cloud.foundation.viewer import Actor
from protocols.provenance.transcript import Operation

_LETTERS = 26
"""Length of the id behind its prefix, as of a ULID: 130 bits of a hash, so two objects never have one id."""


class EncounterEvidence(Protocol):
    """Records operations on encounters in their evidence."""

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
        """Add a record of an operation in its transaction. `encounter` is the encounter after the operation. `details`
        are signed with the record; they are JSON values without patient data. `job_id` is the job that did the
        operation. Raises `MasterKeyAbsent` and the other errors of the master key, without which nothing is signed."""
        ...


class EvidenceSource(Protocol):
    """Makes the recorder of a process or of a console command."""

    def __call__(self, installation: Installation) -> EncounterEvidence: ...


ENCOUNTER_EVIDENCE: Need[EvidenceSource] = Need("record operations on encounters in their evidence")


def evidence_id_of(tenant_id: str, kind: str, subject_id: str) -> str:
    """Return the id of the evidence of an object, `evd_` and 26 letters. `kind` is the kind of the object, such as
    `encounter`. The id depends on these three alone, so a reader of the object knows it without a look-up."""
    digest = hashlib.sha256("\n".join(("argus evidence", tenant_id, kind, subject_id)).encode()).digest()
    number = int.from_bytes(digest, "big") >> (8 * len(digest) - 5 * _LETTERS)
    return "evd_" + "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(_LETTERS)))


def evidence_id_of_encounter(encounter: Encounter) -> str:
    """Return the id of the evidence of an encounter."""
    return evidence_id_of(encounter.tenant_id, ENCOUNTER_KIND, encounter.id)


ENCOUNTER_KIND = "encounter"
"""The kind of the evidence of encounters."""
