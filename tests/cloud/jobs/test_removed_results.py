"""A result whose object was removed or cut short is reported as expired, for a folder and for an S3 bucket."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cloud.access.audit import Audit
from cloud.foundation.db import Database
from tests.builders.job_desk import JobDesk, job_desk
from tests.harness.s3_service import BUCKET, KEY_ID, SECRET, running_s3_service


@pytest.fixture(params=["folder", "bucket"])
async def desk(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> AsyncIterator[JobDesk]:
    sections: dict[str, dict[str, Any]] = {}
    with ExitStack() as kept:
        if request.param == "bucket":
            service = kept.enter_context(running_s3_service())
            credentials = tmp_path / "s3-credentials"
            credentials.write_text(f"{KEY_ID}\n{SECRET}\n")
            sections["objects"] = {
                "url": f"s3://{BUCKET}/{tmp_path.name}",
                "endpoint": service.endpoint,
                "credentials_file": str(credentials),
            }
        async with job_desk(database, tmp_path / "objects", sections) as served:
            yield served


@pytest.mark.contract("A-079")
async def test_result_whose_object_was_lost_has_expired(desk: JobDesk) -> None:
    for content, left in ((b'{"a":1}', None), (b"", None), (b'{"a":2}', b'{"a":')):
        job_id = await desk.start()
        leased = await desk.run()
        assert await desk.succeed(leased, content)
        assert (await desk.get(f"/v1/jobs/{job_id}/result")).status_code == 200
        name = f"results/{leased.tenant_id}/20260324/{leased.id}"
        if left is None:
            await desk.objects.remove(name)
        else:
            await desk.objects.put(name, left)
        gone = await desk.get(f"/v1/jobs/{job_id}/result")
        assert (gone.status_code, gone.json()["code"]) == (410, "result_expired")
        assert gone.json()["expired_at"] == "2026-03-24T12:00:00.000000Z", "the time of the response, not a later one"
        assert (await desk.get(f"/v1/jobs/{job_id}")).json()["status"] == "succeeded"
        async with desk.database.read() as tx:
            entries = await Audit(desk.clock).list(tx, desk.home.operator, action="job.result")
        assert [entry.object for entry in entries].count(job_id) == 1, "only the first response has an address"
