"""Jobs in the whole application: in one process on SQLite, and in processes for api and worker on PostgreSQL.

Issue «Jobs and profiles», must hold E: the same story with both.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.harness.cloud_process import serving
from tests.harness.eventually import eventually
from tests.harness.postgresql import PostgresqlCluster, postgresql
from tests.harness.running_cloud import RunningCloud, cloud_running

__all__ = ["postgresql"]

BODY = {"kind": "graph.compute", "payload": {"analyses": ["components"]}}


async def run_story(cloud: RunningCloud) -> None:
    """Start a job, follow it to its end, download the result, and fail to cancel the job afterwards. The signature of
    the result's address becomes a secret of the cloud."""
    with cloud.client("north") as client:
        first = client.post("/v1/jobs", json=BODY, headers={"Idempotency-Key": "one"})
        again = client.post("/v1/jobs", json=BODY, headers={"Idempotency-Key": "one"})
        assert (first.status_code, again.status_code, again.content) == (201, 200, first.content)
        address = f"/v1/jobs/{first.json()['id']}"

        def ended() -> dict[str, Any] | None:
            job: dict[str, Any] = client.get(address).json()
            return job if job["completed_at"] is not None else None

        job = await eventually(ended, within_s=60, poll_s=0.1)
        assert (job["status"], job["progress_pct"], job["error"]) == ("succeeded", 100, None)
        signed_url = client.get(f"{address}/result").json()["signed_url"]
        (signature,) = parse_qs(urlsplit(signed_url).query)["signature"]
        cloud.secrets.add(signature)
        with cloud.client() as anonymous:
            assert anonymous.get(signed_url).json()["graph"]["nodes"] == 0
            refused = anonymous.put(signed_url)
            assert (refused.status_code, signature in refused.text) == (403, False)
        assert client.delete(address).status_code == 409
        assert client.get("/v1/jobs").json()["total_count"] == 1


@pytest.mark.contract("S-144")
async def test_jobs_run_in_one_process_on_sqlite(tmp_path: Path) -> None:
    with cloud_running(tmp_path) as cloud:
        await run_story(cloud)
        cloud.stop()  # which writes the last spans
        assert {"job.run", "GET /v1/jobs/{id}/result"} <= {row["name"] for row in cloud.table("spans")}
        assert cloud.leaks() == []


@pytest.mark.pg
@pytest.mark.contract("S-144")
async def test_jobs_run_in_a_process_of_their_own_on_postgresql(tmp_path: Path, postgresql: PostgresqlCluster) -> None:
    with postgresql.database() as url, cloud_running(tmp_path, url, objects_dir=tmp_path / "objects") as cloud:
        cloud.stop()
        cloud.start("--only", "api")
        (tmp_path / "worker").mkdir()
        worker = RunningCloud(tmp_path / "worker", url, objects_dir=cloud.objects_dir, beside=cloud)
        worker.write_settings()
        async with serving(worker.config, "--only", "worker") as served:
            await run_story(cloud)
        assert cloud.leaks(worker=json.dumps(served.lines)) == []
