"""However often a client repeats a request with one idempotency key, there is one job and one response."""

import asyncio
import signal
import sys

import orjson
import pytest

from cloud.foundation.egress import UrlBlocked
from tests.builders.job_desk import BODY, JobDesk
from tests.harness.bare_socket import exchange, request
from tests.harness.cloud_process import START_S_MAX
from tests.harness.eventually import eventually

KEY = "8b9d8a2e-4a8c-4a7e-8a2e-4a8c4a7e8a2e"
HOUR_US = 3_600_000_000


@pytest.mark.contract("C-158", "C-159", "A-070", "A-072")
async def test_repeated_request_returns_200_and_the_bytes_of_the_first_response(desk: JobDesk) -> None:
    first = await desk.post(key=KEY)
    await desk.run()  # the job is running, and the stored response still has the status queued
    again = await desk.post(key=KEY)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.content == first.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Idempotency-Key"] == KEY
    assert again.headers["Location"] == first.headers["Location"]
    assert (await desk.list())["total_count"] == 1


@pytest.mark.contract("A-069", "S-130")
async def test_concurrent_requests_with_one_key_start_one_job(desk: JobDesk) -> None:
    responses = await asyncio.gather(*(desk.post(key=KEY) for _ in range(50)))
    assert sorted(response.status_code for response in responses) == [200] * 49 + [201]
    assert len({response.content for response in responses}) == 1
    assert (await desk.list())["total_count"] == 1


@pytest.mark.contract("A-068", "S-131")
async def test_key_of_another_request_is_refused_and_the_order_of_fields_does_not_matter(desk: JobDesk) -> None:
    first = await desk.post(key=KEY)
    other_kind = {"kind": "export.bulk", "payload": {"data": "encounters", "format": "ndjson"}}
    for fields in ({"payload": {"analyses": ["communities"]}}, {"secrecy_level": "standard"}, other_kind):
        refused = await desk.post(key=KEY, **fields)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    reordered = b'{"payload": {"analyses": ["components"]}, "kind": "graph.compute"}'
    again = await desk.ask("POST", "/v1/jobs", reordered, key=KEY)
    assert (again.status_code, again.content) == (200, first.content)


@pytest.mark.contract("S-132")
@pytest.mark.contract("A-070")
async def test_malformed_key_is_refused_and_the_quoted_and_the_bare_form_are_one_key(desk: JobDesk) -> None:
    for key in ("", "x" * 256, 'a"b', '""'):
        refused = await desk.post(key=key)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_idempotency_key")
    assert (await desk.post(key=f'"{KEY}"')).status_code == 201
    assert (await desk.post(key=KEY)).status_code == 200


@pytest.mark.contract("S-132")
async def test_key_with_a_line_break_is_refused_and_starts_no_job(desk: JobDesk) -> None:
    port = desk.client.base_url.port
    assert port is not None
    body = orjson.dumps(BODY)
    for key in ("a\rb", "a\nb", "a\r\n b"):
        lines = (
            "Authorization: Bearer north",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"Idempotency-Key: {key}",
        )
        refused = await asyncio.to_thread(exchange, port, request("POST", "/v1/jobs", *lines, body=body))
        assert refused.status == 400, key
    assert (await desk.list())["total_count"] == 0


@pytest.mark.contract("S-134", "A-071")
async def test_key_is_valid_for_24_hours(desk: JobDesk) -> None:
    first = await desk.post(key=KEY)
    desk.clock.advance(us=24 * HOUR_US - 60_000_000)
    assert (await desk.post(key=KEY)).content == first.content
    desk.clock.advance(us=120_000_000)
    later = await desk.post(key=KEY)
    assert later.status_code == 201
    assert later.json()["id"] != first.json()["id"]


@pytest.mark.contract("A-071", "S-067", "S-068")
async def test_key_belongs_to_the_tenant_and_is_refused_to_its_other_apps(desk: JobDesk) -> None:
    first = await desk.post(key=KEY)
    refused = await desk.post("other", key=KEY)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    south = await desk.post("south", key=KEY)
    assert south.status_code == 201
    assert south.json()["id"] != first.json()["id"]


@pytest.mark.contract("A-071", "S-133")
async def test_refused_request_leaves_no_key(desk: JobDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.work.jobs.service.QUEUED_MAX", 1)
    await desk.start()
    assert (await desk.post(key=KEY)).status_code == 429
    await desk.run()
    assert (await desk.post(key=KEY)).status_code == 201


@pytest.mark.contract("S-135")
async def test_job_whose_response_was_lost_is_returned_to_the_repetition(desk: JobDesk) -> None:
    # The client closes the connection as soon as the job is committed, and so never reads the response.
    request = asyncio.create_task(desk.post(key=KEY))
    await eventually(lambda: _is_started(desk))
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    again = await desk.post(key=KEY)
    assert again.status_code == 200
    assert [job["id"] for job in (await desk.list())["jobs"]] == [again.json()["id"]]


@pytest.mark.contract("S-135")
async def test_job_whose_process_was_killed_after_the_commit_is_returned_to_the_repetition(
    desk: JobDesk, database_url: str
) -> None:
    words = (sys.executable, "-m", "tests.harness.enqueue_victim", database_url, KEY)
    process = await asyncio.create_subprocess_exec(*words)
    try:
        await asyncio.wait_for(process.wait(), START_S_MAX)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == -signal.SIGKILL
    (job,) = (await desk.list())["jobs"]
    again = await desk.post(key=KEY)
    assert (again.status_code, again.json()["id"]) == (200, job["id"])
    assert (await desk.list())["total_count"] == 1


async def _is_started(desk: JobDesk) -> bool:
    return bool((await desk.list())["total_count"])


@pytest.mark.contract("C-160")
async def test_repetition_returns_the_job_also_when_the_address_of_its_callback_is_refused_by_now(
    desk: JobDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://partner.example.com/argus-webhook"
    first = await desk.post(key=KEY, callback_url=url)
    assert first.status_code == 201, first.text

    async def refuse(_self: object, _url: str) -> None:
        raise UrlBlocked

    monkeypatch.setattr("cloud.partners.webhooks.callbacks.CallbackQueue.judge", refuse)
    assert (await desk.post(key=KEY, callback_url=url)).content == first.content
    assert (await desk.post(key="another", callback_url=url)).status_code == 422
