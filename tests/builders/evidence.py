"""Evidence in tests: keys that sign and verify records, and recorders with them. The keys are of tests only."""

import hashlib
from collections.abc import Sequence
from functools import cache

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from sqlalchemy import text

from cloud.clinical.epcr import Encounter, evidence_id_of
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.ids import Ids
from cloud.foundation.objects import ObjectStore
from cloud.foundation.viewer import SecrecyLevel
from cloud.work.evidence.check import EvidenceCheck, EvidenceReport, Finding
from cloud.work.evidence.encounters import EncounterRecorder, evidence_of
from cloud.work.evidence.following import Following
from cloud.work.evidence.model import Evidence, EvidenceKind, StoredRecord
from cloud.work.evidence.recorder import EvidenceRecorder, RecordSigners
from cloud.work.evidence.store import EvidenceStore
from protocols.provenance.canonical_json import JsonValue
from protocols.provenance.signatures import Algorithm, HmacKey, MlDsaPublicKey, Signer, VerifyKey

HMAC_KID, MLDSA_KID = "mk-test", "prov-2027-01-mldsa"


@cache
def _mldsa_key() -> MLDSA65PrivateKey:
    return MLDSA65PrivateKey.from_seed_bytes(hashlib.sha256(b"synthetic key of tests").digest())


class SyntheticMlDsa:
    """The platform's key in tests."""

    algorithm = Algorithm.ML_DSA_65
    kid = MLDSA_KID

    def sign(self, context: bytes, message: bytes) -> bytes:
        return _mldsa_key().sign(message, context)


def _hmac_key(tenant_id: str) -> HmacKey:
    return HmacKey(hashlib.sha256(tenant_id.encode()).digest(), HMAC_KID)


class SyntheticSigners:
    """The keys that sign (`RecordSigners`)."""

    async def of_tenant(self, tx: Transaction, tenant_id: str) -> Sequence[Signer]:
        return _hmac_key(tenant_id), SyntheticMlDsa()


class SyntheticKeys:
    """The keys that verify the records of a tenant (`VerifyKeys`)."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id

    def find(self, algorithm: Algorithm, kid: str) -> VerifyKey | None:
        if algorithm is Algorithm.HMAC_SHA256:
            return _hmac_key(self._tenant_id) if kid == HMAC_KID else None
        return MlDsaPublicKey(_mldsa_key().public_key().public_bytes_raw()) if kid == MLDSA_KID else None

    def period(self, algorithm: Algorithm, kid: str) -> None:
        return None


class EvidenceRoom:
    """The evidence of a database in a test."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, signers: RecordSigners | None = None) -> None:
        self.database = database
        self.recorder = EvidenceRecorder(clock, ids, signers or SyntheticSigners())
        self.of_encounters = EncounterRecorder(self.recorder, clock)
        self.following = Following(database, clock, self.recorder)

    async def records(self, evidence: Evidence | Encounter) -> Sequence[StoredRecord]:
        """Return the records of evidence, in order; none if it does not exist."""
        wanted = evidence_of(evidence) if isinstance(evidence, Encounter) else evidence
        async with self.database.read() as tx:
            found = await EvidenceStore().transcript_of(tx, wanted.tenant_id, wanted.id)
        return () if found is None else found.records

    async def findings(self, tenant_id: str, objects: ObjectStore | None = None) -> list[Finding]:
        """Return what the check of all evidence of a tenant finds."""
        return [finding for report in await self.reports(tenant_id, objects) for finding in report.findings]

    async def reports(self, tenant_id: str, objects: ObjectStore | None = None) -> list[EvidenceReport]:
        """Check all evidence of a tenant."""
        check = EvidenceCheck(self.database, tenant_id, SyntheticKeys(tenant_id), objects)
        return [report async for report in check.reports()]


async def operations_on(database: Database, tenant_id: str, encounter_id: str) -> list[tuple[str, JsonValue]]:
    """Return the operations on an encounter in its evidence, each with its details."""
    evidence_id = evidence_id_of(tenant_id, EvidenceKind.ENCOUNTER.value, encounter_id)
    async with database.read() as tx:
        found = await EvidenceStore().transcript_of(tx, tenant_id, evidence_id)
    return [(one.operation, one.core_members.get("details")) for one in (found.records if found else ())]


async def run_without_triggers(database: Database, *statements: str) -> None:
    """Run statements on a database whose triggers were dropped, as its administrator can."""
    async with database.transaction() as tx:
        if tx.dialect == "postgresql":
            for table in ("evidence", "evidence_records", "evidence_ends"):
                await tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        else:
            names = await tx.execute(text("SELECT name FROM sqlite_schema WHERE type = 'trigger'"))
            for name in [row[0] for row in names]:
                await tx.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            await tx.execute(text(statement))


def piece(
    id: str = "evd_1",
    *,
    tenant: str = "ten_test",
    organization: str | None = "org_test",
    level: SecrecyLevel = SecrecyLevel.STANDARD,
) -> Evidence:
    """Return a piece of evidence of an import."""
    return Evidence(
        tenant_id=tenant,
        id=id,
        kind=EvidenceKind.IMPORT,
        subject_id="job_1",
        organization_id=organization,
        secrecy_level=level,
    )
