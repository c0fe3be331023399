"""An archive of reports expires when an encounter in it is erased."""

from pathlib import Path

from sqlalchemy import insert

from cloud.access.audit.tables import audit_entries
from cloud.clinical.epcr import erased_encounters
from cloud.foundation.db import Database
from cloud.work.jobs import job_kinds
from cloud.work.jobs.execution import JobExecutor
from cloud.work.jobs.worker import JobWorker
from tests.builders.ingest_cloud import ORGANIZATION, TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.job_rows import JobRows
from tests.builders.nemsis_reports import MANDATORY, document
from tests.builders.parts import make_parts, sweep_once
from tests.builders.registry_reports import begin_registry, report_uuid, take_report

REPORTS = '{"data":"encounters","format":"nemsis"}'
LINES = '{"data":"encounters","format":"ndjson"}'


async def erase(cloud: CloudUnderTest, encounter_id: str, at_us: int) -> None:
    """Store the tombstone of an encounter."""
    counts = dict.fromkeys(("observations", "changes", "batches", "others", "unread", "quarantined", "replies"), 0)
    row = {
        "erasure_id": encounter_id,
        "tenant_id": TENANT,
        "encounter_id": encounter_id,
        "seal": b"",
        "organization_id": ORGANIZATION,
        "from_us": 0,
        "until_us": 1,
        "reason": "patient_request",
        "requested_by": "operator",
        "requested_at_us": at_us,
        "phase": "rows",
        "position": "[]",
        "step": 0,
        "progress_at_us": at_us,
        **counts,
    }
    async with cloud.database.transaction() as tx:
        await tx.execute(insert(erased_encounters).values(row))


async def test_archive_expires_when_an_encounter_in_it_is_erased_and_other_exports_stay(
    database: Database, tmp_path: Path
) -> None:
    cloud = await CloudUnderTest(database).register(GatewayInVehicle())
    await begin_registry(cloud)
    encounters = [await take_report(cloud, document(*MANDATORY, uuid=str(report_uuid(number)))) for number in range(2)]
    rows = JobRows(database)
    rows.clock.advance(us=cloud.clock.now_us() + 1 - rows.clock.now_us())
    process = make_parts(database, rows.clock, sections={"objects_dir": str(tmp_path / "objects")})  # type: ignore[dict-item]
    executor = JobExecutor(database, rows.clock, job_kinds(), lambda kind: kind.work(process), [], result_days=30)
    worker = JobWorker(database, rows.clock, executor, 1)
    ids = [
        *await rows.enqueue(kind="export.bulk", payload=REPORTS, tenant_id=TENANT, client_id=None),
        *await rows.enqueue(kind="export.bulk", payload=LINES, tenant_id=TENANT, client_id=None),
    ]
    assert await worker.step() == 2
    rows.clock.advance(us=1)
    assert await sweep_once(database, rows.clock, "erased_reports") == 0
    await erase(cloud, "enc_unread", rows.clock.now_us())
    assert await sweep_once(database, rows.clock, "erased_reports") == 0
    await erase(cloud, encounters[1], rows.clock.now_us() - 3_600_000_000)  # by a machine whose clock is behind
    assert await sweep_once(database, rows.clock, "erased_reports") == 1
    assert await sweep_once(database, rows.clock, "erased_reports") == 0
    assert await sweep_once(database, rows.clock, "job_results") == 1
    assert [(await rows.find(job_id, TENANT)).result_object is None for job_id in ids] == [True, False]
    expired = [row.object for row in await cloud.rows(audit_entries) if row.action == "export.expired"]
    assert expired == ids[:1]
