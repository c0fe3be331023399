"""An export as a job: a worker of the engine runs it, and its result is found by the id of the job."""

from pathlib import Path

import pytest
from sqlalchemy import select

from cloud.access.audit.tables import audit_entries
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, Results
from cloud.foundation.viewer import Viewer
from cloud.work.jobs import JobStatus, job_kinds
from cloud.work.jobs.execution import JobExecutor
from cloud.work.jobs.worker import JobWorker
from tests.builders.encounter_reading import assigned
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.job_rows import JobRows
from tests.builders.parts import make_parts


@pytest.mark.contract("C-152")
async def test_worker_exports_observations_and_keeps_the_file_as_the_result_of_the_job(
    database: Database, tmp_path: Path
) -> None:
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(gateway)
    await cloud.take(gateway.send(*map(float, range(60, 90))))
    await assigned(cloud)
    rows = JobRows(database)
    rows.clock.advance(us=cloud.clock.now_us() + 1 - rows.clock.now_us())
    process = make_parts(database, rows.clock, sections={"objects_dir": str(tmp_path / "objects")})  # type: ignore[dict-item]
    executor = JobExecutor(database, rows.clock, job_kinds(), lambda kind: kind.work(process), [], result_days=30)
    payload = '{"data":"observations","format":"csv"}'
    (job_id,) = await rows.enqueue(kind="export.bulk", payload=payload, tenant_id=TENANT, client_id=None)
    assert await JobWorker(database, rows.clock, executor, 1).step() == 1
    async with database.read() as tx:
        job = await rows.store.find(tx, Viewer(TENANT, None), job_id)
        result = await Results().find(tx, job_id)
        actions = [row.action for row in await tx.execute(select(audit_entries.c.action))]
    assert job is not None
    assert job.status is JobStatus.SUCCEEDED
    assert result is not None
    assert job.result_object == result.stored.name
    assert len((await LocalObjects(tmp_path / "objects").read(result.stored)).splitlines()) == 31
    assert {"export.began", "export.finished"} <= set(actions)
