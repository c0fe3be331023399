"""Check stored evidence: signatures, chains, contents, and the batches of vehicles that records name. A content that is
the file of an export is read as long as it is kept, whatever its size. A file that is missing before the end of its
period is a fault: the object was lost, or removed by hand.

The triggers of the database stop a change of a record. This check finds one that was made without them, and names the
record. `argus-cloud custody check` checks the batches themselves, up to each sample.
"""

import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from cloud.clinical.epcr import evidence_id_of
from cloud.foundation.db import Database, Transaction
from cloud.foundation.moments import write_moment
from cloud.foundation.objects import ObjectMissing, ObjectStore, Results, StoredObject
from cloud.vehicles.custody import CustodyStore, Removal, lanes
from cloud.work.evidence.following import BATCHES
from cloud.work.evidence.model import Evidence, EvidenceKind, EvidenceWithRecords, StoredRecord
from cloud.work.evidence.store import RECORDS_MAX, EvidenceStore
from protocols.provenance.merkle import leaf_hash
from protocols.provenance.reasons import Reason
from protocols.provenance.received import ReceivedRecord, ReceivedTranscript
from protocols.provenance.signatures import Algorithm, VerifyKeys
from protocols.provenance.transcript import VERSION, hash_text
from protocols.provenance.verification import verify

FILE_MISSING = "the object store lacks the file, which is still kept"
PAGE = 100
TRANSACTION_US = 600_000_000
"""Time that no transaction lasts."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of a piece of evidence. `record_id` is None where it concerns the evidence as a whole."""

    evidence_id: str
    record_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class EvidenceReport:
    """The result of the check of one piece of evidence. `file_read` is None where the content is no file, and False if
    the file is no longer stored."""

    evidence: Evidence
    records: int
    findings: tuple[Finding, ...]
    file_read: bool | None = None


class EvidenceCheck:
    """Checks the evidence of one tenant. `keys` are the keys with which its records were signed, and `objects` has the
    files of exports."""

    def __init__(
        self, database: Database, tenant_id: str, keys: VerifyKeys, objects: ObjectStore | None = None
    ) -> None:
        self._objects = objects
        self._database = database
        self._tenant_id = tenant_id
        self._keys = keys
        self._store = EvidenceStore()

    async def reports(self) -> AsyncIterator[EvidenceReport]:
        """Yield a report for each piece of evidence, in the order of the ids."""
        after = ""
        while True:
            async with self._database.read() as tx:
                page = await self._store.page(tx, self._tenant_id, after=after, count=PAGE)
            for evidence in page:
                yield await self.report(evidence)
            if len(page) < PAGE:
                return
            after = page[-1].id

    async def report(self, evidence: Evidence) -> EvidenceReport:
        """Check one piece of evidence. Rows of any content are reported and stop nothing. Raises
        `ObjectStoreUnavailable`."""
        count, file = 0, None
        records: Sequence[StoredRecord] = ()
        faults: list[tuple[str | None, str]] = []
        async with self._database.read() as tx:
            try:
                found = await self._store.transcript_of(tx, evidence.tenant_id, evidence.id)
                assert found is not None, "evidence is never deleted by this program"
                count = len(found.records)
                faults.extend(_faults(found))
                if found.has_file:
                    file, records = await Results().find(tx, evidence.subject_id), found.records
                if not faults:
                    faults.extend(self._broken(found))
                    faults.extend([one async for one in _lost_batches(tx, found)])
            except (TypeError, ValueError, AttributeError, LookupError) as error:
                # A value of another type, which SQLite stores in any column.
                faults.append((None, f"its rows cannot be read ({type(error).__name__})"))
        # Outside of the transaction: a file may have several gigabytes.
        digest = None if file is None else await self._digest(file.stored)
        if digest is None and file is not None and await self._is_lost(evidence.subject_id):
            faults.append((None, FILE_MISSING))
        if digest is not None:
            faults.extend((one, Reason.CONTENT_HASH_MISMATCH.value) for one in _records_of_other_file(records, digest))
        findings = tuple(Finding(evidence.id, record_id, reason) for record_id, reason in faults)
        is_file = evidence.kind == EvidenceKind.EXPORT
        return EvidenceReport(evidence, count, findings, digest is not None if is_file else None)

    async def _digest(self, file: StoredObject) -> bytes | None:
        """Return the SHA-256 of a file as it is stored now; None if it is not stored."""
        if self._objects is None:
            return None
        try:
            found = await self._objects.digest(file.name, sys.maxsize)
        except ObjectMissing:
            return None
        return None if found is None else found.sha256

    async def _is_lost(self, job_id: str) -> bool:
        """Return whether the file of a job, which was not found, should be there. Its period may have ended since."""
        if self._objects is None:
            return False
        async with self._database.read() as tx:
            return await Results().find(tx, job_id) is not None

    def _broken(self, found: EvidenceWithRecords) -> Iterator[tuple[str | None, str]]:
        """Yield each record whose signatures, place or content are wrong. A fault under one algorithm names it."""
        contents = found.content_hashes()
        faults: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for algorithm in Algorithm:
            received = _received(found, algorithm)
            for link in verify(received, self._keys, content_hashes=contents).broken_links:
                # The root is signed when a transcript is read, so a stored one has no faults. A thief of a withdrawn
                # key cannot make the HMAC, which is checked too.
                if link.record_id is not None and link.reason is not Reason.KEY_WITHDRAWN:
                    faults[link.record_id, link.reason.value].append(algorithm.value)
        for (record_id, reason), algorithms in faults.items():
            yield record_id, reason if len(algorithms) == len(Algorithm) else f"{reason} ({algorithms[0]})"


def _faults(found: EvidenceWithRecords) -> Iterator[tuple[str | None, str]]:
    """Yield each record whose columns differ from the bytes that were signed, and a gap in the positions."""
    end, missing = found.end, found.first_missing(RECORDS_MAX)
    if end.record_count == 0:
        yield None, "it has no record"
    if found.records:
        yield from _faults_of_row(found.evidence, found.records[0])
    for one in found.contents_missing:
        yield one.record_id, "the content is missing"
    if missing is not None and missing <= len(found.records):
        yield found.records[missing - 1].record_id, f"record {missing} is missing"
        return
    if missing is not None:
        yield None, f"records {missing} to {end.record_count} at the end are missing"
    for one in found.records:
        if one.record_id == end.last_record_id and one.leaf_hash != end.last_leaf_hash:
            yield one.record_id, "the evidence states another leaf hash for its last record"
        core = one.core_members
        if not core:
            yield one.record_id, "the record is no JSON object"
            continue
        stated = (core.get("id"), core.get("operation"), core.get("signed_at"))
        if stated != (one.record_id, one.operation, write_moment(one.signed_at_us)):
            yield one.record_id, "columns of the record differ from what was signed"
        if leaf_hash(one.core.encode()) != one.leaf_hash:
            yield one.record_id, "the leaf hash is not that of the record"


def _faults_of_row(evidence: Evidence, first: StoredRecord) -> Iterator[tuple[str | None, str]]:
    """Yield a fault if the row of the evidence, which decides who may read it, differs from its first record. The id is
    made from the tenant, the kind and the subject; the others are signed: in the content of an encounter, and in the
    details of a job. It is added in the transaction of its first record."""
    if evidence.id != evidence_id_of(evidence.tenant_id, evidence.kind, evidence.subject_id):
        yield None, "its id is not that of its subject"
    details = first.core_members.get("details")
    signed = first.content_members if evidence.kind == EvidenceKind.ENCOUNTER else details
    stated = {"organization_id": evidence.organization_id, "secrecy_level": evidence.secrecy_level.word}
    if abs(first.signed_at_us - evidence.created_at_us) > TRANSACTION_US:
        yield None, "the time of its creation is not that of its first record"
    if isinstance(signed, Mapping) and any(signed.get(name, value) != value for name, value in stated.items()):
        yield None, "its organisation or secrecy level differs from what was signed"


def _records_of_other_file(records: Sequence[StoredRecord], digest: bytes) -> Iterator[str]:
    """Yield each record that states another file than the one with this SHA-256."""
    for one in records:
        if one.content is None and one.stated_content_hash != hash_text(digest):
            yield one.record_id


def _received(found: EvidenceWithRecords, algorithm: Algorithm) -> ReceivedTranscript:
    return ReceivedTranscript(
        evidence_id=found.evidence.id,
        tenant_id=found.evidence.tenant_id,
        records=tuple(_received_record(one, algorithm) for one in found.records),
        record_count=len(found.records),
        merkle_root="",
        root_signature="",
        root_algorithm=algorithm.value,
        root_kid=None,
        version=VERSION,
    )


def _received_record(one: StoredRecord, algorithm: Algorithm) -> ReceivedRecord:
    core, signature = one.core_members, one.signature(algorithm)

    def text(name: str) -> str | None:
        value = core.get(name)
        return value if isinstance(value, str) else None

    return ReceivedRecord(
        id=one.record_id,
        core=one.core.encode(),
        content_hash=text("content_hash") or "",
        parent_id=text("parent_id"),
        parent_hash=text("parent_hash"),
        signed_at=text("signed_at") or "",
        signature=signature.value.hex(),
        algorithm=algorithm.value,
        kid=signature.kid,
    )


async def _lost_batches(tx: Transaction, found: EvidenceWithRecords) -> AsyncIterator[tuple[str | None, str]]:
    """Yield each record that names an end of a vehicle's chain that the cloud does not hold, or holds with another
    hash. Batches that were removed after their period, or erased, are found in the ranges of what was removed."""
    for record in found.records:
        details = record.core_members.get("details")
        named = details.get(BATCHES, ()) if isinstance(details, Mapping) else ()
        for one in named if isinstance(named, list) else ():
            reason = await _fault_of_chain(tx, found.evidence.tenant_id, one)
            if reason is not None:
                place = f"{one['gateway_id']} {one['epoch']} {one['lane']} {one['last_sequence']}"
                yield record.record_id, f"batch {place}: {reason}"


async def _fault_of_chain(tx: Transaction, tenant_id: str, named: Mapping[str, Any]) -> str | None:
    """Return why the cloud does not hold the batch that a record names; None if it holds it, or has removed it."""
    table, last = lanes.c, named["last_sequence"]
    statement = select(table.lane_id).where(
        table.tenant_id == tenant_id,
        table.gateway_id == named["gateway_id"],
        table.epoch == named["epoch"],
        table.lane == named["lane"],
    )
    lane_id = (await tx.execute(statement)).scalar()
    if lane_id is None:
        return "the cloud does not hold this lane"
    near = await CustodyStore().neighbours(tx, {lane_id: [last]})
    hashes = {one.tail_hash.hex() for one in near[lane_id] if one.through == last}
    if named["hash"] in hashes:
        return None
    if hashes:
        return "the cloud holds another batch with this number"
    for one in await Removal().ranges(tx, lane_id):
        if one.first_sequence <= last <= one.last_sequence:
            return None if last < one.last_sequence or one.hash_after.hex() == named["hash"] else "it has another hash"
    return "the cloud does not hold it, and has not removed it"
