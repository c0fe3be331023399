"""An export as a job: a worker of the engine runs it, and its result is found by the id of the job."""

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import select

from cloud.access.audit.tables import audit_entries
from cloud.clinical.epcr import evidence_id_of
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, Results, ResultSweeper
from cloud.work.evidence.model import EvidenceKind
from cloud.work.evidence.store import EvidenceStore
from cloud.work.jobs import JobStatus, job_kinds
from cloud.work.jobs.execution import JobExecutor
from cloud.work.jobs.worker import JobWorker
from tests.builders.encounter_reading import assigned
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.job_rows import JobRows
from tests.builders.parts import make_parts

PAYLOAD = '{"data":"observations","format":"csv"}'


async def exporting(database: Database, folder: Path) -> tuple[JobRows, JobWorker]:
    """Return the jobs of a tenant with 30 observations, and a worker that stores results in `folder`."""
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(gateway)
    await cloud.take(gateway.send(*map(float, range(60, 90))))
    await assigned(cloud)
    rows = JobRows(database)
    rows.clock.advance(us=cloud.clock.now_us() + 1 - rows.clock.now_us())
    process = make_parts(database, rows.clock, sections={"objects_dir": str(folder)})  # type: ignore[dict-item]
    executor = JobExecutor(database, rows.clock, job_kinds(), lambda kind: kind.work(process), [], result_days=30)
    return rows, JobWorker(database, rows.clock, executor, 1)


@pytest.mark.contract("C-152")
async def test_worker_exports_observations_and_keeps_the_file_as_the_result_of_the_job(
    database: Database, tmp_path: Path
) -> None:
    rows, worker = await exporting(database, tmp_path / "objects")
    (job_id,) = await rows.enqueue(kind="export.bulk", payload=PAYLOAD, tenant_id=TENANT, client_id=None)
    assert await worker.step() == 1
    async with database.read() as tx:
        result = await Results().find(tx, job_id)
        actions = [row.action for row in await tx.execute(select(audit_entries.c.action))]
    job = await rows.find(job_id, TENANT)
    assert job.status is JobStatus.SUCCEEDED
    assert result is not None
    assert job.result_object == result.stored.name
    assert len((await LocalObjects(tmp_path / "objects").read(result.stored)).splitlines()) == 31
    assert {"export.began", "export.finished"} <= set(actions)


@pytest.mark.contract("A-123")
async def test_evidence_of_an_export_has_one_record_with_the_hash_of_its_file(
    database: Database, tmp_path: Path
) -> None:
    rows, worker = await exporting(database, tmp_path / "objects")
    (job_id,) = await rows.enqueue(kind="export.bulk", payload=PAYLOAD, tenant_id=TENANT, client_id=None)
    assert await worker.step() == 1
    async with database.read() as tx:
        result = await Results().find(tx, job_id)
        evidence_id = evidence_id_of(TENANT, EvidenceKind.EXPORT.value, job_id)
        evidence = await EvidenceStore().transcript_of(tx, TENANT, evidence_id)
    assert result is not None
    assert evidence is not None
    (record,) = evidence.records
    file = await LocalObjects(tmp_path / "objects").read(result.stored)
    assert record.operation == "evidence.export"
    assert record.core_members["content_hash"] == f"sha256:{hashlib.sha256(file).hexdigest()}"


async def test_repeated_export_refers_to_the_object_of_the_first_one_and_leaves_no_second(
    database: Database, tmp_path: Path
) -> None:
    rows, worker = await exporting(database, tmp_path / "objects")
    ids = await rows.enqueue(2, kind="export.bulk", payload=PAYLOAD, tenant_id=TENANT, client_id=None)
    assert await worker.step() == 2
    objects = LocalObjects(tmp_path / "objects")
    assert await ResultSweeper(database, objects, rows.clock).remove_unused() == 1
    stored = [one.name async for page in objects.pages("results") for one in page]
    assert [(await rows.find(job_id, TENANT)).result_object for job_id in ids] == stored * 2
