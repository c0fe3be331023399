"""A partner starts a job, is notified of its end once, and downloads the result; a worker runs the job meanwhile."""

import time
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
import standardwebhooks

from cloud.access.apps import AppStore, callback_secret
from cloud.foundation.db import Database
from cloud.work.jobs.running import worker_of
from tests.builders.auth_world import MASTER
from tests.builders.job_desk import JobDesk, job_desk
from tests.builders.webhook_story import WebhookStory
from tests.harness.receiver import Receiver, receiving


async def deliver(desk: JobDesk, receiver: Receiver) -> None:
    """Let the relay and a delivery worker do all work that is due."""
    story = WebhookStory(desk.database, desk.home, desk.clock, [receiver])
    await story.turn()
    await story.close()


async def secret_of(desk: JobDesk) -> str:
    async with desk.database.read() as tx:
        app = await AppStore().find(tx, "app_north")
    assert app is not None
    return callback_secret(MASTER, app)


def allowing(receiver: Receiver) -> dict[str, object]:
    return {"egress": {"allow": [f"127.0.0.1:{receiver.port}"]}}


@pytest.mark.contract("C-160", "C-161", "C-167", "A-066", "A-067", "S-105", "S-144")
async def test_partner_gets_one_signed_callback_and_downloads_the_result(database: Database, tmp_path: Path) -> None:
    async with receiving() as receiver, job_desk(database, tmp_path / "objects", allowing(receiver)) as desk:
        desk.clock.advance(us=time.time_ns() // 1000 - desk.clock.now_us())  # the library checks the time
        url = receiver.url("/argus-webhook?token=7")
        started = await desk.post(key="one", callback_url=url)
        assert (await desk.post(key="one", callback_url=url)).content == started.content
        job_id = started.json()["id"]
        await desk.parts.shared(worker_of).step()
        await deliver(desk, receiver)
        job = (await desk.get(f"/v1/jobs/{job_id}")).json()
        assert (job["status"], job["progress_pct"], job["error"]) == ("succeeded", 100, None)
        (request,) = receiver.received
        standardwebhooks.Webhook(await secret_of(desk)).verify(request.body, request.headers)
        message = orjson.loads(request.body)
        assert message == {"type": "job.succeeded", "timestamp": job["completed_at"], "data": job}
        assert request.headers["traceparent"][3:35] == started.json()["trace_id"]
        result = (await desk.get(f"/v1/jobs/{job_id}/result")).json()
        assert "signature=" in result["signed_url"]
        assert b"signature=" not in request.body
        address = urlsplit(result["signed_url"])
        document = (await desk.client.get(f"{address.path}?{address.query}")).json()
        assert document["graph"] == {"nodes": 2, "edges": 1, "nodes_by_kind": {"encounter": 1, "vehicle": 1}}


@pytest.mark.contract("A-067", "A-059")
async def test_failed_and_cancelled_jobs_are_reported_like_succeeded_ones(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.work.graph.work.OWNERS_MAX", 0)
    async with receiving() as receiver, job_desk(database, tmp_path / "objects", allowing(receiver)) as desk:
        await desk.post(callback_url=receiver.url())
        cancelled = await desk.start(callback_url=receiver.url())
        await desk.ask("DELETE", f"/v1/jobs/{cancelled}")
        await desk.ask("DELETE", f"/v1/jobs/{cancelled}")
        await desk.parts.shared(worker_of).step()
        await deliver(desk, receiver)
        messages = sorted((orjson.loads(request.body) for request in receiver.received), key=lambda one: one["type"])
        assert [one["type"] for one in messages] == ["job.cancelled", "job.failed"]
        assert messages[0]["data"]["id"] == cancelled
        assert messages[1]["data"]["error"]["code"] == "graph_too_large"
