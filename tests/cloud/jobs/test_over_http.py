"""An integrator starts a job, follows it, cancels it, and fetches its result over HTTP."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from sqlalchemy import select

from cloud.access.audit import Audit
from cloud.work.jobs.tables import jobs
from tests.builders.contract_samples import sample, shape_faults
from tests.builders.job_desk import BODY, RETENTION_US, JobDesk
from tests.builders.parts import sweep_once

JOBS = "/v1/jobs"
LATER = "2026-03-24T13:00:00Z"


@pytest.mark.contract("C-153", "C-156", "C-157", "C-185")
async def test_accepted_job_is_queued_with_the_trace_of_the_request(desk: JobDesk) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    response = await desk.ask("POST", JOBS, BODY, traceparent=f"00-{trace}-b7ad6b7169203331-01")
    assert response.status_code == 201
    document = response.json()
    assert document == {
        "id": document["id"],
        "kind": "graph.compute",
        "status": "queued",
        "created_at": "2026-03-24T12:00:00.000000Z",
        "trace_id": trace,
    }
    location = urlsplit(response.headers["Location"])
    assert (await desk.get(location.path)).json()["trace_id"] == trace
    (entry,) = await _trail(desk, "job.enqueue")
    assert (entry.object, entry.client_id, entry.metadata) == (document["id"], "app_north", {"kind": "graph.compute"})


@pytest.mark.contract("C-155", "C-165", "C-173", "C-184")
async def test_responses_have_the_fields_of_the_contract_samples(desk: JobDesk) -> None:
    enqueue, inspect, listing = sample("POST", JOBS), sample("GET", f"{JOBS}/{{id}}"), sample("GET", JOBS)
    assert enqueue.request is not None
    assert listing.request is not None
    made = await desk.ask("POST", enqueue.request.target, orjson.loads(enqueue.request.body or ""))
    assert made.status_code == 201, made.text
    assert shape_faults(enqueue.answer, made.json()) == []
    job_id = made.json()["id"]
    document = (await desk.get(f"{JOBS}/{job_id}")).json()
    assert shape_faults(inspect.answer, document) == []
    listed = (await desk.get(listing.request.target.replace("running", "queued"))).json()
    assert shape_faults({**listing.answer, "next_cursor": None}, listed) == []
    await desk.succeed(await desk.run())
    result = (await desk.get(f"{JOBS}/{job_id}/result")).json()
    assert shape_faults(sample("GET", f"{JOBS}/{{id}}/result").answer, result) == []


@pytest.mark.contract("C-152", "A-073", "A-086", "S-133", "S-142")
async def test_invalid_request_names_its_field_and_leaves_the_idempotency_key_unused(desk: JobDesk) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"kind": "graph.computed"}, "/kind"),
        ({"kind": "x"}, "/kind"),
        ({"payload": {"analyses": []}}, "/payload/analyses"),
        ({"payload": {}}, "/payload/analyses"),
        ({"payload": {"analyses": ["components"], "more": 1}}, "/payload/more"),
        ({"payload": ["components"]}, "/payload"),
        ({"payload": {"analyses": ["components"], "since": LATER, "until": LATER}}, "/payload"),
        ({"payload": {"analyses": ["components"], "since": LATER, "until": "2026-03-24T12:00:00Z"}}, "/payload"),
        ({"payload": None}, "/payload"),
        ({"secrecy_level": "cosmic"}, "/secrecy_level"),
        ({"secret": 1}, "/secret"),
    ]
    for fields, pointer in cases:
        refused = await desk.post(key="k-1", **fields)
        assert refused.status_code == 400, refused.text
        assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]
    assert (await desk.post(key="k-1")).status_code == 201


@pytest.mark.contract("C-154", "C-163", "C-168", "C-175", "C-180")
async def test_reader_may_follow_jobs_but_neither_start_nor_cancel_them(desk: JobDesk) -> None:
    job_id = await desk.start()
    for method, path in (("POST", JOBS), ("DELETE", f"{JOBS}/{job_id}")):
        refused = await desk.ask(method, path, BODY if method == "POST" else None, who="reader")
        assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert (await desk.get(f"{JOBS}/{job_id}", "reader")).status_code == 200
    assert (await desk.get(f"{JOBS}/{job_id}/result", "reader")).status_code == 202
    assert (await desk.list(who="reader"))["total_count"] == 1


async def test_caller_without_a_scope_that_the_kind_needs_is_refused(desk: JobDesk) -> None:
    refused = await desk.post("narrow")
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="argus:epcr:read argus:devices:read"' in refused.headers["WWW-Authenticate"]


@pytest.mark.contract("C-166", "C-183", "S-060", "S-061", "S-066")
async def test_job_of_another_tenant_or_organisation_is_not_found(desk: JobDesk) -> None:
    job_id = await desk.start()
    for who in ("south", "elsewhere"):
        for method, path in (("GET", ""), ("GET", "/result"), ("DELETE", "")):
            absent = await desk.ask(method, f"{JOBS}/01HZZZZZZZZZZZZZZZZZZZZZZZ{path}", who=who)
            refused = await desk.ask(method, f"{JOBS}/{job_id}{path}", who=who)
            assert (refused.status_code, refused.json()["code"]) == (404, "job_unknown")
            assert refused.json()["detail"] == absent.json()["detail"]
        assert (await desk.list(who=who))["total_count"] == 0
    assert (await desk.get(f"{JOBS}/{job_id}")).json()["status"] == "queued"
    assert (await desk.list(who="tenant"))["total_count"] == 1


@pytest.mark.contract("A-074", "S-069", "S-070")
async def test_job_above_the_callers_clearance_is_neither_accepted_nor_visible(desk: JobDesk) -> None:
    refused = await desk.post(secrecy_level="restricted")
    assert (refused.status_code, refused.json()["code"]) == (403, "clearance_exceeded")
    job_id = await desk.start("cleared", secrecy_level="secret")
    assert (await desk.get(f"{JOBS}/{job_id}")).status_code == 404
    assert (await desk.ask("DELETE", f"{JOBS}/{job_id}")).status_code == 404
    assert (await desk.list())["total_count"] == 0
    assert (await desk.list(who="cleared"))["total_count"] == 1


@pytest.mark.contract("C-162", "C-164", "C-165", "A-085")
async def test_job_shows_its_progress_and_then_the_reason_of_its_failure(desk: JobDesk) -> None:
    job_id = await desk.start()
    leased = await desk.run()
    await desk.rows.save(leased, "{}", 42)
    desk.clock.advance(us=30_000_000)
    running = (await desk.get(f"{JOBS}/{job_id}")).json()
    assert (running["status"], running["progress_pct"], running["completed_at"]) == ("running", 42, None)
    await desk.fail(leased)
    failed = (await desk.get(f"{JOBS}/{job_id}")).json()
    assert failed == {
        **running,
        "status": "failed",
        "updated_at": "2026-03-24T12:00:30.000000Z",
        "completed_at": "2026-03-24T12:00:30.000000Z",
        "error": {"code": "source_unavailable", "message": "The source did not respond.", "retryable": True},
    }


@pytest.mark.contract("C-174", "C-176", "C-177", "A-077", "S-137")
async def test_cancelled_job_stays_cancelled_and_a_repetition_returns_it(desk: JobDesk) -> None:
    job_id = await desk.start()
    leased = await desk.run()
    first = await desk.ask("DELETE", f"{JOBS}/{job_id}")
    assert (first.status_code, first.content) == (204, b"")
    again = await desk.ask("DELETE", f"{JOBS}/{job_id}")
    assert again.status_code == 200
    assert again.json() == (await desk.get(f"{JOBS}/{job_id}")).json()
    assert again.json()["status"] == "cancelled"
    assert not await desk.succeed(leased)
    assert (await desk.get(f"{JOBS}/{job_id}")).json() == again.json()
    (entry,) = await _trail(desk, "job.cancel")
    assert entry.object == job_id


@pytest.mark.contract("C-178", "A-075", "S-137")
async def test_job_that_has_ended_by_itself_cannot_be_cancelled(desk: JobDesk) -> None:
    for end, status in ((desk.succeed, "succeeded"), (desk.fail, "failed")):
        job_id = await desk.start()
        await end(await desk.run())
        refused = await desk.ask("DELETE", f"{JOBS}/{job_id}")
        assert (refused.status_code, refused.json()["code"]) == (409, "job_not_cancellable")
        assert refused.json()["job_status"] == status
    unknown = await desk.ask("DELETE", f"{JOBS}/01HZZZZZZZZZZZZZZZZZZZZZZZ")
    assert unknown.status_code == 404


@pytest.mark.contract("S-136")
async def test_either_the_cancellation_or_the_result_of_a_job_wins(desk: JobDesk) -> None:
    for _ in range(20):
        job_id = await desk.start()
        leased = await desk.run()
        cancelled, succeeded = await asyncio.gather(desk.ask("DELETE", f"{JOBS}/{job_id}"), desk.succeed(leased))
        assert (cancelled.status_code == 204) != succeeded
        status = (await desk.get(f"{JOBS}/{job_id}")).json()["status"]
        assert status == ("succeeded" if succeeded else "cancelled")
        assert succeeded or cancelled.status_code == 204
        assert not succeeded or cancelled.status_code == 409


@pytest.mark.contract("C-167", "C-169", "C-172", "A-080", "A-081", "S-143")
async def test_result_is_downloaded_by_its_signed_address_until_it_expires(desk: JobDesk) -> None:
    job_id = await desk.start()
    waiting = await desk.get(f"{JOBS}/{job_id}/result")
    assert (waiting.status_code, waiting.json()) == (202, {"status": "queued", "progress_pct": 0})
    await desk.succeed(await desk.run(), b'{"graph":1}')
    result = (await desk.get(f"{JOBS}/{job_id}/result")).json()
    assert result["id"] == job_id
    assert [entry.object for entry in await _trail(desk, "job.result")] == [job_id]
    assert result["result_ref"] == f"r2://argus-jobs/results/{job_id}.json"
    address = urlsplit(result["signed_url"])
    downloaded = await desk.client.get(f"{address.path}?{address.query}")
    assert (downloaded.status_code, downloaded.content) == (200, b'{"graph":1}')
    assert downloaded.headers["Content-Disposition"].startswith("attachment")
    desk.clock.advance(us=301_000_000)
    assert (await desk.client.get(f"{address.path}?{address.query}")).status_code == 403


@pytest.mark.contract("A-078")
async def test_result_of_a_failed_or_cancelled_job_is_a_conflict(desk: JobDesk) -> None:
    failed = await desk.start()
    await desk.fail(await desk.run())
    refused = await desk.get(f"{JOBS}/{failed}/result")
    assert (refused.status_code, refused.json()["code"]) == (409, "job_failed")
    assert refused.json()["error"]["code"] == "source_unavailable"
    cancelled = await desk.start()
    await desk.ask("DELETE", f"{JOBS}/{cancelled}")
    refused = await desk.get(f"{JOBS}/{cancelled}/result")
    assert (refused.status_code, refused.json()["code"]) == (409, "job_cancelled")


@pytest.mark.contract("C-170", "C-171", "A-079", "S-145")
async def test_expired_result_is_gone_and_the_job_stays(desk: JobDesk) -> None:
    job_id = await desk.start()
    await desk.succeed(await desk.run())
    desk.clock.advance(us=RETENTION_US)
    gone = await desk.get(f"{JOBS}/{job_id}/result")
    assert (gone.status_code, gone.json()["code"]) == (410, "result_expired")
    assert gone.json()["expired_at"] == "2026-04-23T12:00:00.000000Z"
    assert await sweep_once(desk.database, desk.clock, "job_results") == 1
    assert (await desk.get(f"{JOBS}/{job_id}/result")).json()["code"] == "result_expired", "without its payload"
    assert (await desk.get(f"{JOBS}/{job_id}")).json()["status"] == "succeeded"


async def test_job_without_a_result_says_so(desk: JobDesk) -> None:
    job_id = await desk.start()
    await desk.rows.settle(await desk.run())
    refused = await desk.get(f"{JOBS}/{job_id}/result")
    assert (refused.status_code, refused.json()["code"]) == (404, "job_without_result")


@pytest.mark.contract("S-104", "C-160")
async def test_blocked_address_of_a_callback_is_refused_and_no_job_is_started(desk: JobDesk) -> None:
    for url in ("http://partner.example/", "https://10.0.0.1/", "https://localhost/x", "https://169.254.169.254/"):
        refused = await desk.post(callback_url=url)
        assert (refused.status_code, refused.json()["code"]) == (422, "blocked_url")
    assert (await desk.list())["total_count"] == 0


@pytest.mark.contract("C-160")
async def test_job_with_too_many_addresses_of_callbacks_is_refused(
    desk: JobDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.partners.webhooks.callbacks.RECEIVERS_MAX", 1)
    await desk.start(callback_url="https://partner.example.com/1")
    refused = await desk.post(callback_url="https://partner.example.com/2")
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_callback_addresses")
    await desk.start(callback_url="https://partner.example.com/1")
    await desk.start("other", callback_url="https://partner.example.com/2")
    assert (await desk.list())["total_count"] == 3


@pytest.mark.contract("S-146")
async def test_body_beyond_the_limits_is_refused(desk: JobDesk) -> None:
    large = b'{"kind":"graph.compute","payload":{"analyses":["' + b"x" * (1 << 20) + b'"]}}'
    deep = b'{"kind":"graph.compute","payload":' + b'{"a":' * 65 + b"1" + b"}" * 65 + b"}"
    for body, status in (
        (large, 413),
        (deep, 400),
        (b'{"kind":"graph.compute","payload":{"top":NaN}}', 400),
        (b'{"kind":"graph.compute","payload":{"top":' + b"1" * 30 + b"}}", 400),
        (b'{"kind":"graph.compute","payload":{"a":"\\ud800"}}', 400),
    ):
        assert (await desk.ask("POST", JOBS, body)).status_code == status


async def test_tenant_with_a_full_queue_gets_429_and_another_tenant_starts_a_job(
    desk: JobDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.work.jobs.service.QUEUED_MAX", 2)
    await desk.start()
    await desk.start()
    refused = await desk.post()
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_jobs")
    assert refused.headers["Retry-After"] == "60"
    await desk.start("south")
    await desk.run()
    await desk.start()


async def _trail(desk: JobDesk, action: str) -> list[Any]:
    async with desk.database.read() as tx:
        return list(await Audit(desk.clock).list(tx, desk.home.operator, action=action))


async def test_payload_is_stored_and_never_shown(desk: JobDesk) -> None:
    job_id = await desk.start()
    async with desk.database.read() as tx:
        stored = (await tx.execute(select(jobs.c.payload).where(jobs.c.id == job_id))).scalar()
    assert orjson.loads(stored) == BODY["payload"]
    assert "payload" not in (await desk.get(f"{JOBS}/{job_id}")).text
