"""Records of evidence are signed, chained and only added; the check names one that was changed without triggers."""

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from cloud.clinical.epcr import evidence_id_of
from cloud.foundation.db import ConstraintViolated, Database
from cloud.foundation.objects import Download, LocalObjects, Result, Results, StoredObject
from cloud.foundation.viewer import SecrecyLevel, Viewer
from cloud.work.evidence.check import FILE_MISSING
from cloud.work.evidence.job_files import JobEvidence
from cloud.work.evidence.model import Evidence, EvidenceKind
from cloud.work.evidence.recorder import Document, Entry, File
from cloud.work.evidence.store import EvidenceStore
from protocols.provenance.transcript import ActorKind, Operation
from tests.builders.evidence import EvidenceRoom, piece, run_without_triggers
from tests.builders.ingest_cloud import OPERATOR, TENANT, CloudUnderTest


def piece_of(subject: str, kind: EvidenceKind = EvidenceKind.IMPORT) -> Evidence:
    return replace(piece(evidence_id_of(TENANT, kind.value, subject)), kind=kind.value, subject_id=subject)


PIECE = piece_of("job_1", EvidenceKind.EXPORT)
SHA = hashlib.sha256(b"file").digest()


def entry(operation: Operation = Operation.UPDATE, content: Document | File | None = None) -> Entry:
    return Entry(
        operation=operation,
        actor_id="usr_1",
        actor_kind=ActorKind.USER,
        content=Document({"state": operation.value}) if content is None else content,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        job_id="01HFXY0000000000000000JOB1",
    )


@pytest.fixture
async def cloud(database: Database) -> CloudUnderTest:
    return await CloudUnderTest(database).register()


@pytest.fixture
def room(cloud: CloudUnderTest) -> EvidenceRoom:
    return EvidenceRoom(cloud.database, cloud.clock, cloud.ids)


async def append(room: EvidenceRoom, *entries: Entry) -> None:
    for one in entries:
        async with room.database.transaction() as tx:
            await room.recorder.append(tx, PIECE, one)


async def run(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(statement))


@pytest.mark.contract("C-212", "C-220", "C-223", "C-226", "A-112", "A-115", "A-129", "A-130")
async def test_record_names_its_parent_and_is_signed_with_both_algorithms(room: EvidenceRoom) -> None:
    await append(room, entry(Operation.CREATE), entry(Operation.EXPORT, File(SHA)))
    first, second = await room.records(PIECE)
    created, exported = first.core_members, second.core_members
    assert (created["parent_id"], created["parent_hash"]) == (None, None)
    assert (exported["parent_id"], exported["parent_hash"]) == (first.record_id, f"sha256:{first.leaf_hash.hex()}")
    assert created["content_hash"] == f"sha256:{hashlib.sha256(str(first.content).encode()).hexdigest()}"
    assert exported["content_hash"] == f"sha256:{SHA.hex()}"
    assert (created["operation"], created["actor_kind"], created["job_id"], created["trace_id"]) == (
        "evidence.create",
        "user",
        "01HFXY0000000000000000JOB1",
        "0af7651916cd43dd8448eb211c80319c",
    )
    assert (len(first.hmac_signature), len(first.mldsa_signature)) == (32, 3309)
    assert await room.findings(TENANT) == []


async def test_document_keeps_the_members_that_an_operation_does_not_change(room: EvidenceRoom) -> None:
    await append(room, entry(content=Document({"a": 1, "b": 1})), entry(content=Document({"b": 2})), entry())
    contents = [json.loads(str(one.content)) for one in await room.records(PIECE)]
    assert contents[1] == {"a": 1, "b": 2}
    assert contents[2] == {"a": 1, "b": 2, "state": "evidence.update"}


async def test_appends_at_the_same_time_make_one_chain(room: EvidenceRoom) -> None:
    await asyncio.gather(*(append(room, entry()) for _ in range(8)))
    records = await room.records(PIECE)
    assert [one.position for one in records] == list(range(1, 9))
    assert [one.core_members["parent_id"] for one in records] == [None, *(one.record_id for one in records[:-1])]
    assert await room.findings(TENANT) == []


async def test_record_is_rolled_back_with_its_operation(room: EvidenceRoom) -> None:
    async def fail_after_the_record() -> None:
        async with room.database.transaction() as tx:
            await room.recorder.append(tx, PIECE, entry())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_the_record()
    assert await room.records(PIECE) == ()


async def test_record_is_never_earlier_than_its_parent(cloud: CloudUnderTest, room: EvidenceRoom) -> None:
    await append(room, entry())
    cloud.clock.at_us -= 5_000_000
    await append(room, entry())
    first, second = await room.records(PIECE)
    assert second.signed_at_us == first.signed_at_us


REFUSED = (
    "UPDATE evidence_records SET operation = 'evidence.read'",
    "UPDATE evidence SET secrecy_level = 0",
    "UPDATE evidence_ends SET record_count = 0",
    "UPDATE evidence_ends SET record_count = record_count + 1, evidence_id = 'evd_other'",
    "DELETE FROM evidence_ends",
    "DELETE FROM evidence_records",
    "DELETE FROM evidence",
)
REFUSED_ON = {
    "postgresql": ("TRUNCATE evidence_records", "TRUNCATE evidence_ends", "TRUNCATE evidence CASCADE"),
    "sqlite": (
        "REPLACE INTO evidence_records SELECT * FROM evidence_records",
        "REPLACE INTO evidence SELECT * FROM evidence",
        "REPLACE INTO evidence_ends SELECT * FROM evidence_ends",
    ),
}


@pytest.mark.contract("S-167")
async def test_database_refuses_to_change_or_delete_evidence(room: EvidenceRoom) -> None:
    await append(room, entry())
    before = await room.records(PIECE)
    for statement in (*REFUSED, *REFUSED_ON[room.database.dialect]):
        with pytest.raises(ConstraintViolated):
            await run(room.database, statement)
    assert await room.records(PIECE) == before


CHANGED = (
    ("core = replace(core, 'usr_1', 'usr_2')", "the leaf hash is not that of the record"),
    ("operation = 'evidence.read'", "columns of the record differ from what was signed"),
    ("operation = 'evidence.of_no_word'", "columns of the record differ from what was signed"),
    ("signed_at_us = signed_at_us + 1", "columns of the record differ from what was signed"),
    ("core = '[]'", "the record is no JSON object"),
    ("core = 'no JSON'", "the record is no JSON object"),
    ("content = NULL", "the content is missing"),
    ("leaf_hash = hmac_signature", "the leaf hash is not that of the record"),
    ("content = '{}'", "content_hash_mismatch"),
    ("hmac_kid = 'other'", "key_unknown (hmac-sha256)"),
    ("hmac_signature = leaf_hash", "signature_invalid (hmac-sha256)"),
    (
        "mldsa_signature = (SELECT mldsa_signature FROM evidence_records WHERE position = 1 LIMIT 1)",
        "signature_invalid (ml-dsa-65)",
    ),
)


@pytest.mark.contract("S-167")
async def test_check_names_each_record_that_was_changed_without_triggers(room: EvidenceRoom) -> None:
    expected = []
    for number, (_, reason) in enumerate(CHANGED):
        async with room.database.transaction() as tx:
            await room.recorder.append(tx, piece_of(f"job_{number}"), entry())
            changed = await room.recorder.append(tx, piece_of(f"job_{number}"), entry())
            await room.recorder.append(tx, piece_of(f"job_{number}"), entry())
        expected.append((piece_of(f"job_{number}").id, changed.record_id, reason))
    changes = [
        f"UPDATE evidence_records SET {change}"  # noqa: S608  ours
        f" WHERE evidence_id = '{piece_of(f'job_{number}').id}' AND position = 2"
        for number, (change, _) in enumerate(CHANGED)
    ]
    await run_without_triggers(room.database, *changes)
    found = await room.findings(TENANT)
    assert [(one.evidence_id, one.record_id, one.reason) for one in found] == sorted(expected)


OF_ROW = (
    ("secrecy_level = 0", "its organisation or secrecy level differs from what was signed"),
    ("secrecy_level = 99", "its organisation or secrecy level differs from what was signed"),
    ("organization_id = NULL", "its organisation or secrecy level differs from what was signed"),
    ("kind = 'of no word'", "its id is not that of its subject"),
    ("subject_id = 'job_other'", "its id is not that of its subject"),
    ("created_at_us = created_at_us - 86400000000", "the time of its creation is not that of its first record"),
    ("created_at_us = created_at_us + 86400000000", "the time of its creation is not that of its first record"),
)


@pytest.mark.contract("S-167", "C-225")
async def test_check_names_evidence_whose_own_row_was_changed_without_triggers(room: EvidenceRoom) -> None:
    owner = {"organization_id": "org_test", "secrecy_level": "secret"}
    for number in range(len(OF_ROW)):
        async with room.database.transaction() as tx:
            secret = replace(piece_of(f"job_{number}"), secrecy_level=SecrecyLevel.SECRET)
            await room.recorder.append(tx, secret, replace(entry(), details=owner))
    assert await room.findings(TENANT) == []
    changes = [
        f"UPDATE evidence SET {change} WHERE subject_id = 'job_{number}'"  # noqa: S608  ours
        for number, (change, _) in enumerate(OF_ROW)
    ]
    await run_without_triggers(room.database, *changes)
    reasons = {(one.evidence_id, one.reason) for one in await room.findings(TENANT)}
    assert reasons == {(piece_of(f"job_{number}").id, reason) for number, (_, reason) in enumerate(OF_ROW)}


@pytest.mark.contract("S-167")
@pytest.mark.parametrize("change", ["content = NULL", "content = '{}'", "core = 'x'", "operation = 'x'"])
async def test_record_follows_one_that_was_changed_with_the_content_before_the_change(
    room: EvidenceRoom, change: str
) -> None:
    evidence = piece_of("job_1")
    async with room.database.transaction() as tx:
        for kept in ("first", "second"):
            await room.recorder.append(tx, evidence, entry(content=Document({"kept": kept})))
    await run_without_triggers(room.database, f"UPDATE evidence_records SET {change} WHERE position = 2")  # noqa: S608  ours
    async with room.database.transaction() as tx:
        third = await room.recorder.append(tx, evidence, entry())
    changed = (await room.records(evidence))[1]
    assert third.content_members["kept"] == ("second" if change.startswith("operation") else "first")
    assert [one.record_id for one in await room.findings(TENANT)] == [changed.record_id]


@pytest.mark.contract("S-167")
async def test_check_names_the_place_of_a_deleted_record(room: EvidenceRoom) -> None:
    await append(room, entry(), entry(), entry())
    last = (await room.records(PIECE))[2]
    await run_without_triggers(room.database, "DELETE FROM evidence_records WHERE position = 2")
    (finding,) = await room.findings(TENANT)
    assert (finding.record_id, finding.reason) == (last.record_id, "record 2 is missing")


@pytest.mark.contract("C-212", "A-123", "A-129")
async def test_files_of_jobs_have_evidence_of_their_own_with_the_rights_that_their_actor_had(
    cloud: CloudUnderTest, room: EvidenceRoom
) -> None:
    recorder = JobEvidence(room.recorder)
    file = StoredObject("key", 4, SHA)
    async with room.database.transaction() as tx:
        await recorder.exported(tx, OPERATOR, "job_out", file, {"format": "ndjson"})
        await recorder.imported(tx, OPERATOR, "job_in", [file], {"format": "csv"})
    found = {}
    for kind, subject in ((EvidenceKind.EXPORT, "job_out"), (EvidenceKind.IMPORT, "job_in")):
        (record,) = await room.records(piece_of(subject, kind))
        found[subject] = core = record.core_members
        assert (core["actor_id"], core["actor_kind"], core["job_id"]) == (subject, "job", subject)
        assert set(dict(core["details"])) == {"format", "requested_by", "organization_id", "secrecy_level"}
    assert [found[one]["operation"] for one in ("job_out", "job_in")] == ["evidence.export", "evidence.create"]
    assert found["job_out"]["content_hash"] == f"sha256:{SHA.hex()}"
    assert await room.findings(TENANT) == []


@pytest.mark.contract("A-129", "S-167")
async def test_check_reads_the_stored_file_of_an_export(room: EvidenceRoom, tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    file = await objects.put("results/ten_test/20260508/1", b"file")
    async with room.database.transaction() as tx:
        await Results().keep(tx, Result("job_out", TENANT, file, Download("text/csv", "rows.csv")), 1)
        await JobEvidence(room.recorder).exported(tx, OPERATOR, "job_out", file, {"format": "csv"})
    (record,) = await room.records(piece_of("job_out", EvidenceKind.EXPORT))
    (report,) = await room.reports(TENANT, objects)
    assert (report.file_read, report.findings) == (True, ())
    (tmp_path / file.name).write_bytes(b"fil3")
    (report,) = await room.reports(TENANT, objects)
    assert [(one.record_id, one.reason) for one in report.findings] == [(record.record_id, "content_hash_mismatch")]
    await objects.remove(file.name)
    (report,) = await room.reports(TENANT, objects)
    assert [(one.record_id, one.reason) for one in report.findings] == [(None, FILE_MISSING)]
    async with room.database.transaction() as tx:
        await Results().release(tx, ["job_out"], 2)
    (report,) = await room.reports(TENANT, objects)
    assert (report.file_read, report.findings) == (False, ())


@pytest.mark.contract("S-167")
async def test_check_names_records_that_were_deleted_at_the_end(room: EvidenceRoom) -> None:
    await append(room, entry(), entry(), entry())
    await run_without_triggers(room.database, "DELETE FROM evidence_records WHERE position > 1")
    (finding,) = await room.findings(TENANT)
    assert (finding.record_id, finding.reason) == (None, "records 2 to 3 at the end are missing")


async def test_evidence_without_a_stated_end_states_it_with_its_next_record(room: EvidenceRoom) -> None:
    """Evidence that began before the table of ends has no row there."""
    await append(room, entry(), entry())
    await run_without_triggers(room.database, "DELETE FROM evidence_ends")
    assert await room.findings(TENANT) == []
    await append(room, entry())
    assert [one.position for one in await room.records(PIECE)] == [1, 2, 3]
    assert await room.findings(TENANT) == []
    await run_without_triggers(room.database, "DELETE FROM evidence_records WHERE position = 3")
    assert [one.reason for one in await room.findings(TENANT)] == ["records 3 to 3 at the end are missing"]


@pytest.mark.contract("S-167", "C-220")
async def test_record_after_a_deleted_one_names_it_so_that_the_deletion_stays_visible(room: EvidenceRoom) -> None:
    await append(room, entry(), entry())
    deleted = (await room.records(PIECE))[1]
    await run_without_triggers(room.database, "DELETE FROM evidence_records WHERE position = 2")
    await append(room, entry())
    last = (await room.records(PIECE))[1]
    assert (last.position, last.core_members["parent_id"]) == (3, deleted.record_id)
    assert [(one.record_id, one.reason) for one in await room.findings(TENANT)] == [
        (last.record_id, "record 2 is missing")
    ]


@pytest.mark.contract("C-224", "C-225", "A-121", "A-122", "S-069")
async def test_evidence_is_found_only_by_its_tenant_organisation_and_clearance(room: EvidenceRoom) -> None:
    secret = piece("evd_secret", level=SecrecyLevel.SECRET)
    async with room.database.transaction() as tx:
        await room.recorder.append(tx, secret, entry())
    store = EvidenceStore()
    async with room.database.read() as tx:
        for viewer, found in (
            (Viewer(TENANT, "org_test", SecrecyLevel.SECRET), True),
            (Viewer(TENANT, None, SecrecyLevel.TOP_SECRET), True),
            (Viewer(TENANT, "org_test", SecrecyLevel.CONFIDENTIAL), False),
            (Viewer(TENANT, "org_other", SecrecyLevel.SECRET), False),
            (Viewer("ten_other", None, SecrecyLevel.TOP_SECRET), False),
        ):
            assert (await store.find(tx, viewer, "evd_secret") is not None) is found
            assert bool(await store.list(tx, viewer, count=10)) is found
