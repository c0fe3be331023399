"""Events, deliveries of webhooks and jobs are spans in the trace of the request that caused them."""

import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from cloud.foundation.db import Database
from cloud.foundation.tracing import Span, Spans, spans_of
from cloud.foundation.viewer import Viewer
from cloud.work.jobs.kind import JobFailure
from cloud.work.jobs.running import worker_of
from tests.builders.job_desk import job_desk
from tests.builders.job_story import JobStory
from tests.builders.job_works import Failing
from tests.builders.trace_desk import PARENT, TRACE, trace_desk
from tests.builders.webhook_story import WebhookStory, webhook_story
from tests.harness.receiver import receiving

TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
NORTH = "tnt_north"


async def recorded(database: Database, *recorders: Spans) -> dict[str, Span]:
    """Write what the recorders have, and return the spans of the trace `TRACE` by name."""
    for spans in recorders:
        await spans.flush()
    async with database.read() as tx:
        found, _ = await recorders[0].find(tx, Viewer(NORTH, None), TRACE)
    return {span.name: span for span in found}


def parents(spans: Iterable[Span]) -> dict[str, str | None]:
    """Map the name of each span to the name of its parent, or to the id of a parent that is not among them."""
    spans = list(spans)
    names = {span.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent_span_id or "", span.parent_span_id) for span in spans}


@pytest.mark.contract("C-147", "A-007")
async def test_webhook_continues_the_trace_of_its_event_and_its_receiver_gets_the_span_of_the_attempt(
    database: Database,
) -> None:
    async with receiving() as receiver:
        story = await webhook_story(database, receiver)
        webhook = await story.subscribe(receiver.url())
        async with database.transaction() as tx:
            event_id = await story.emit(tx, "inc_1", traceparent=TRACEPARENT)
        await story.turn()
        await story.close()
        found = await recorded(database, story.spans)
    assert parents(found.values()) == {
        "event.deliver": PARENT,
        "db.transaction": "event.deliver",
        "webhook.attempt": "event.deliver",
    }
    attempt = found["webhook.attempt"]
    assert receiver.received[0].headers["traceparent"] == f"00-{TRACE}-{attempt.span_id}-01"
    (delivery,) = await story.deliveries(webhook)
    assert attempt.attributes == {
        "argus.webhook.id": webhook.id,
        "argus.delivery.id": delivery["id"],
        "argus.delivery.attempt": 1,
        "argus.event.id": event_id,
        "argus.event.type": "incident.updated",
        "http.response.status_code": 200,
    }
    assert receiver.url() not in str(found)


async def test_attempt_that_fails_has_a_span_with_its_reason(database: Database) -> None:
    async with receiving(always=500) as receiver:
        story = await webhook_story(database, receiver)
        await story.subscribe(receiver.url())
        async with database.transaction() as tx:
            await story.emit(tx, "inc_1", traceparent=TRACEPARENT)
        await story.turn()
        await story.close()
        attempt = (await recorded(database, story.spans))["webhook.attempt"]
    assert (attempt.status, attempt.attributes["error.type"]) == ("error", "http_status")
    assert attempt.attributes["http.response.status_code"] == 500


async def test_run_of_a_job_and_its_steps_are_spans_in_the_trace_of_its_request(database: Database) -> None:
    story = JobStory(database)
    (job_id,) = await story.count_up_to(1, traceparent=TRACEPARENT, tenant_id=NORTH)
    await story.worker.step()
    found = await recorded(database, story.spans)
    assert parents(found.values()) == {
        "job.run": PARENT,
        "job.step": "job.run",
        "db.transaction": "job.run",
    }
    assert found["job.run"].attributes == {
        "argus.job.id": job_id,
        "argus.job.kind": "test.count",
        "argus.job.attempt": 1,
    }


async def test_job_that_fails_has_a_span_with_its_error(database: Database) -> None:
    story = JobStory(database)
    story.worker = story.another_worker(Failing(story, 1, 1, lambda: JobFailure("source_lost", "The source is lost.")))
    await story.count_up_to(1, traceparent=TRACEPARENT, tenant_id=NORTH)
    await story.worker.step()
    run = (await recorded(database, story.spans))["job.run"]
    assert (run.status, run.attributes["error.type"]) == ("error", "source_lost")


@pytest.mark.contract("C-161", "C-185", "S-105", "C-144", "A-108")
async def test_trace_of_a_job_is_read_at_once_from_its_request_to_its_callback(
    database: Database, tmp_path: Path
) -> None:
    async with receiving() as receiver:
        sections = {"egress": {"allow": [f"127.0.0.1:{receiver.port}"]}}
        async with job_desk(database, tmp_path / "objects", sections) as desk:
            desk.clock.advance(us=time.time_ns() // 1000 - desk.clock.now_us())
            body = {
                "kind": "graph.compute",
                "payload": {"analyses": ["components"]},
                "callback_url": receiver.url("/done"),
            }
            started = await desk.ask("POST", "/v1/jobs", body, traceparent=TRACEPARENT)
            assert started.status_code == 201, started.text
            await desk.parts.shared(worker_of).step()
            story = WebhookStory(database, desk.home, desk.clock, [receiver])
            story.record_in(desk.parts.shared(spans_of))
            await story.turn()
            await story.close()
            async with trace_desk(database, spans=desk.parts.shared(spans_of)) as traces:
                read = (await traces.look_up(TRACE)).document
    assert read["complete"]
    names = {one["span_id"]: one["name"] for one in read["spans"]}
    tree = {
        name: names.get(one["parent_span_id"], one["parent_span_id"])
        for one in read["spans"]
        if not (name := one["name"]).startswith("db.")
    }
    request = "POST /v1/jobs"
    assert tree == {
        request: PARENT,
        "job.run": request,
        "job.step": "job.run",
        "event.deliver": "job.run",
        "webhook.attempt": "job.run",
    }
