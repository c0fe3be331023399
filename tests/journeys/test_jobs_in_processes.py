"""Jobs in the whole application: in one process on SQLite, and in processes for api and worker on PostgreSQL.

Issue «Jobs and profiles», must hold E: the same story with both.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import standardwebhooks

from tests.harness.cloud_process import serving
from tests.harness.eventually import eventually
from tests.harness.postgresql import PostgresqlCluster, postgresql
from tests.harness.receiver import Receiver, receiving
from tests.harness.running_cloud import RunningCloud, cloud_running

__all__ = ["postgresql"]

BODY = {"kind": "export.bulk", "payload": {"data": "encounters", "format": "ndjson"}}
ENCOUNTER = {"care_model": "prehospital_emergency", "vehicle_id": "AMB-42"}


def allowing(receiver: Receiver) -> str:
    """Return the settings with which the cloud may call a receiver."""
    return f'[egress]\nallow = ["127.0.0.1:{receiver.port}"]\n'


def secret_of(cloud: RunningCloud) -> str:
    """Return the secret that signs call-backs to the app `north`, which a rotation returns."""
    with cloud.client("north", host="auth") as client:
        response = client.post("/v1/platform/apps/app_north/rotate-secret", json={})
        assert response.status_code == 200, response.text
        rotated = response.json()
    cloud.secrets |= {rotated["client_secret"], rotated["callback_signing_secret"]}
    return str(rotated["callback_signing_secret"])


async def run_story(cloud: RunningCloud, receiver: Receiver) -> None:
    """Start an export, follow it to its end, get its call-back, download the result, fail to cancel the job afterwards,
    and cancel another one. The signature of the result's address becomes a secret of the cloud."""
    secret = secret_of(cloud)
    with cloud.client("north") as client:
        encounter = client.post("/api/v1/epcr/encounters", json=ENCOUNTER)
        assert encounter.status_code == 201, encounter.text
        body = {**BODY, "callback_url": receiver.url()}
        first = client.post("/v1/jobs", json=body, headers={"Idempotency-Key": "one"})
        again = client.post("/v1/jobs", json=body, headers={"Idempotency-Key": "one"})
        assert (first.status_code, again.status_code, again.content) == (201, 200, first.content)
        address = f"/v1/jobs/{first.json()['id']}"

        async def end_of(path: str) -> dict[str, Any]:
            def ended() -> dict[str, Any] | None:
                job: dict[str, Any] = client.get(path).json()
                return job if job["completed_at"] is not None else None

            return await eventually(ended, within_s=60, poll_s=0.1)

        job = await end_of(address)
        assert (job["status"], job["progress_pct"], job["error"]) == ("succeeded", 100, None)
        signed_url = client.get(f"{address}/result").json()["signed_url"]
        (signature,) = parse_qs(urlsplit(signed_url).query)["signature"]
        cloud.secrets.add(signature)
        with cloud.client() as anonymous:
            (line,) = anonymous.get(signed_url).text.splitlines()
            assert json.loads(line)["id"] == encounter.json()["id"]
            refused = anonymous.put(signed_url)
            assert (refused.status_code, signature in refused.text) == (403, False)
        assert client.delete(address).status_code == 409
        other = f"/v1/jobs/{client.post('/v1/jobs', json=BODY, headers={'Idempotency-Key': 'two'}).json()['id']}"
        is_cancelled = client.delete(other).status_code == 204  # unless the worker was faster
        assert (await end_of(other))["status"] == ("cancelled" if is_cancelled else "succeeded")
        assert client.get("/v1/jobs").json()["total_count"] == 2
        await eventually(lambda: receiver.received, within_s=60)
        (request,) = receiver.received
        standardwebhooks.Webhook(secret).verify(request.body, request.headers)
        assert json.loads(request.body) == {"type": "job.succeeded", "timestamp": job["completed_at"], "data": job}
        assert signature.encode() not in request.body


@pytest.mark.contract("S-144")
async def test_jobs_run_in_one_process_on_sqlite(tmp_path: Path) -> None:
    async with receiving() as receiver:
        with cloud_running(tmp_path, more_settings=allowing(receiver)) as cloud:
            await run_story(cloud, receiver)
            cloud.stop()  # which writes the last spans
            assert {"job.run", "GET /v1/jobs/{id}/result"} <= {row["name"] for row in cloud.table("spans")}
            assert cloud.leaks() == []


@pytest.mark.pg
@pytest.mark.contract("S-144")
async def test_jobs_run_in_a_process_of_their_own_on_postgresql(tmp_path: Path, postgresql: PostgresqlCluster) -> None:
    async with receiving() as receiver:
        more, objects = allowing(receiver), tmp_path / "objects"
        with postgresql.database() as url, cloud_running(tmp_path, url, more, objects_dir=objects) as cloud:
            cloud.stop()
            cloud.start("--only", "api")
            (tmp_path / "worker").mkdir()
            worker = RunningCloud(tmp_path / "worker", url, more, objects_dir=objects, beside=cloud)
            worker.write_settings()
            async with serving(worker.config, "--only", "worker") as served:
                await run_story(cloud, receiver)
            assert cloud.leaks(worker=json.dumps(served.lines)) == []
