"""Files are sent before the import that names them, and belong to their sender."""

import asyncio
import hashlib
from typing import Any

import pytest
from sqlalchemy import select

from cloud.access.apps import Apps
from cloud.foundation.http.idempotency import WINDOW_US
from cloud.foundation.objects import NAMED_US_MAX, ReceivedPieces, ResultSweeper
from cloud.foundation.objects import received as received_module
from cloud.foundation.viewer import Actor
from cloud.work.jobs.running import worker_of
from cloud.work.jobs.store import CLEANUP_DELAY_US
from cloud.work.jobs.tables import jobs
from tests.builders.imports import count, device, import_now, ndjson, pieces, profile, start_import
from tests.builders.job_desk import JobDesk

FILE = ndjson(device(1))


async def refused(desk: JobDesk, who: str = "importer", **payload: Any) -> tuple[int, str, list[str]]:
    """Request an import; return the status, the code and the pointers of the refusal."""
    response = await desk.post(who, kind="import.bulk", payload=payload)
    document = response.json()
    return response.status_code, document["code"], [one["pointer"] for one in document.get("errors", ())]


async def test_upload_shows_its_size_its_digest_and_the_end_of_its_time(desk: JobDesk) -> None:
    sent = await desk.ask("POST", "/v1/jobs/uploads", FILE, who="importer", Content_Type="application/octet-stream")
    shown = sent.json()
    assert (sent.status_code, shown["size_bytes"]) == (201, len(FILE))
    assert shown["sha256"] == hashlib.sha256(FILE).hexdigest()
    assert shown["expires_at"] == "2026-03-25T12:00:00.000000Z"


async def test_unusable_upload_is_refused(desk: JobDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(data: bytes, who: str = "importer", kind: str = "application/octet-stream") -> tuple[int, str]:
        response = await desk.ask("POST", "/v1/jobs/uploads", data, who=who, Content_Type=kind)
        return response.status_code, str(response.json()["code"])

    assert await send(b"") == (400, "upload_empty")
    assert await send(FILE, kind="application/json") == (415, "unsupported_media_type")
    assert await send(FILE, who="reader") == (403, "insufficient_scope")
    assert await send(b"x" * ((8 << 20) + 1)) == (413, "body_too_large")
    monkeypatch.setattr(received_module, "TENANT_PIECES_MAX", 1)
    await desk.upload(FILE)
    assert await send(FILE) == (409, "too_many_uploads")
    assert await send(FILE, who="lists") == (409, "too_many_uploads")
    monkeypatch.setattr(received_module, "TENANT_PIECES_MAX", 9)
    monkeypatch.setattr(received_module, "TENANT_BYTES_MAX", 2 * len(FILE) - 1)
    assert await send(FILE) == (409, "too_many_uploads")


@pytest.mark.contract("S-060", "S-061")
async def test_upload_of_another_app_organisation_or_tenant_is_not_found(desk: JobDesk) -> None:
    for who in ("other", "lists", "south", "north"):
        payload = {"data": "devices", "uploads": [await desk.upload(FILE), await desk.upload(FILE, who)]}
        assert await refused(desk, **payload) == (422, "upload_unknown", ["/payload/uploads/1"])


async def test_upload_of_yesterday_is_not_found_and_is_removed_a_day_later(desk: JobDesk) -> None:
    upload_id = await desk.upload(FILE)
    sweeper = ResultSweeper(desk.database, desk.objects, desk.clock)
    desk.clock.advance(us=NAMED_US_MAX + 1)
    assert (await refused(desk, data="devices", uploads=[upload_id]))[1] == "upload_unknown"
    await sweeper.remove_orphans()
    assert len(await pieces(desk)) == 1
    desk.clock.advance(us=NAMED_US_MAX)
    await sweeper.remove_orphans()
    assert await pieces(desk) == []


async def test_payload_without_the_form_of_an_import_is_refused(desk: JobDesk) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"data": "devices"}, "/payload"),
        ({"data": "devices", "rows": []}, "/payload/rows"),
        ({"data": "devices", "rows": [1]}, "/payload/rows/0"),
        ({"data": "devices", "rows": [{"a": "x" * 70_000}]}, "/payload/rows/0"),
        ({"data": "devices", "rows": [{}], "format": "csv"}, "/payload"),
        ({"data": "devices", "uploads": ["../../secret"]}, "/payload/uploads/0"),
        ({"data": "devices", "uploads": [f"{'0' * 26}-9-{'0' * 64}"] * 2, "size_bytes": 19}, "/payload"),
        ({"data": "devices", "rows": [{}], "size_bytes": 9}, "/payload"),
        ({"data": "devices", "rows": [{}], "list_name": "x"}, "/payload"),
        ({"data": "crews", "rows": [{}]}, "/payload/data"),
        ({"data": "sanctions", "rows": [{}]}, "/payload"),
        ({"data": "sanctions", "rows": [{}], "url": "http://10.0.0.1/"}, "/payload/url"),
    ]
    for payload, pointer in cases:
        status, code, pointers = await refused(desk, **payload)
        assert (status, code, pointers[0]) == (400, "invalid_body", pointer)
    assert await pieces(desk) == []


async def test_each_kind_of_data_needs_the_scope_and_the_organisation_of_its_own_requests(desk: JobDesk) -> None:
    assert await refused(desk, "north", data="devices", rows=[device(1)]) == (403, "insufficient_scope", [])
    assert (await refused(desk, "lists", data="profiles", rows=[profile(1)]))[:2] == (403, "organization_required")
    upload_id = await desk.upload(FILE)
    payload = {"data": "sanctions", "format": "un-xml", "uploads": [upload_id]}
    assert (await refused(desk, **payload))[:2] == (403, "whole_tenant_required")


async def test_repeated_request_starts_one_import_and_keeps_its_rows_once(desk: JobDesk) -> None:
    body = {"kind": "import.bulk", "payload": {"data": "devices", "rows": [device(1)]}}
    first = await desk.ask("POST", "/v1/jobs", body, who="importer", key="k-1")
    again = await desk.ask("POST", "/v1/jobs", body, who="importer", key="k-1")
    assert (first.status_code, again.status_code, again.content) == (201, 200, first.content)
    assert len(await pieces(desk)) == 1
    await desk.parts.shared(worker_of).step()
    assert (await desk.ask("POST", "/v1/jobs", body, who="importer", key="k-1")).content == first.content
    assert await count(desk.database) == 1
    desk.clock.advance(us=WINDOW_US + 1)
    later = await desk.ask("POST", "/v1/jobs", body, who="importer", key="k-1")
    assert (later.status_code, len(await pieces(desk))) == (201, 1)


async def test_file_that_was_lost_or_has_a_long_line_changes_nothing(
    desk: JobDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.work.imports.file.LINE_BYTES_MAX", 200)
    good = ndjson(*map(device, range(5)))
    for bad, code, text in ((None, "upload_lost", "removed"), (b"\n" + b"x" * 201, "line_too_long", "Line 7 has")):
        uploads = [await desk.upload(good), await desk.upload(b"\n" if bad is None else bad)]
        job_id = await start_import(desk, data="devices", uploads=uploads)
        if bad is None:
            await desk.objects.remove((await pieces(desk))[-1])
        await desk.parts.shared(worker_of).step()
        error = (await desk.get(f"/v1/jobs/{job_id}")).json()["error"]
        assert error["code"] == code
        assert text in error["message"]
    assert await count(desk.database) == 0
    assert await pieces(desk) == []


async def test_cancelled_import_keeps_what_was_imported_and_removes_its_file(
    desk: JobDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.work.imports.work.CHUNK_ROWS", 2)
    job_id = await start_import(desk, data="devices", rows=[device(number) for number in range(6)])
    leased = await desk.run()
    await desk.rows.save(leased, '{"examined":1,"lines":6}', 5)
    assert (await desk.ask("DELETE", f"/v1/jobs/{job_id}", who="importer")).status_code == 204
    desk.clock.advance(us=CLEANUP_DELAY_US)
    await desk.parts.shared(worker_of).step()
    assert await pieces(desk) == []
    assert (await import_now(desk, data="devices", rows=[device(number) for number in range(6)]))["rows"] == 6


async def test_app_may_not_use_all_uploads_of_its_tenant(desk: JobDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received_module, "APP_PIECES_MAX", 1)
    await desk.upload(FILE)
    sent = await desk.ask("POST", "/v1/jobs/uploads", FILE, who="importer", Content_Type="application/octet-stream")
    assert (sent.status_code, sent.json()["code"]) == (409, "too_many_uploads")
    await desk.upload(FILE, "lists")


async def test_uploads_beyond_those_that_are_stored_at_once_are_refused(
    desk: JobDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.work.imports.handlers.KEPT_AT_ONCE_MAX", 1)
    stored, keep = asyncio.Event(), ReceivedPieces.keep

    async def keep_later(self: ReceivedPieces, actor: Actor, data: bytes) -> str:
        await stored.wait()
        return await keep(self, actor, data)

    monkeypatch.setattr(ReceivedPieces, "keep", keep_later)
    kind = "application/octet-stream"
    both = [desk.ask("POST", "/v1/jobs/uploads", FILE, who="importer", Content_Type=kind) for _ in range(2)]
    first, second = (asyncio.ensure_future(one) for one in both)
    done, _ = await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
    stored.set()
    (busy,) = done
    assert (busy.result().status_code, busy.result().json()["code"]) == (503, "uploads_busy")
    assert busy.result().headers["Retry-After"] == "2"
    assert sorted([(await first).status_code, (await second).status_code]) == [201, 503]
    await desk.upload(FILE)


async def test_rows_of_a_request_that_starts_no_job_are_removed(desk: JobDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"kind": "import.bulk", "payload": {"data": "devices", "rows": [device(1)]}}
    requests = [desk.ask("POST", "/v1/jobs", body, who="importer", key="k-1") for _ in range(5)]
    assert sorted({response.status_code for response in await asyncio.gather(*requests)}) in ([200, 201], [201])
    assert len(await pieces(desk)) == 1
    monkeypatch.setattr("cloud.work.jobs.service.QUEUED_MAX", 1)
    assert (await desk.ask("POST", "/v1/jobs", body, who="importer")).status_code == 429
    assert len(await pieces(desk)) == 1
    upload_id = await desk.upload(FILE)
    assert (await refused(desk, data="devices", uploads=[upload_id]))[0] == 429
    assert len(await pieces(desk)) == 2


async def test_job_that_ends_without_a_stored_state_has_its_file_removed(desk: JobDesk) -> None:
    async def cancel(*, is_running: bool) -> None:
        job_id = await start_import(desk, data="devices", rows=[device(1)])
        if is_running:
            await desk.run()
        assert (await desk.ask("DELETE", f"/v1/jobs/{job_id}", who="importer")).status_code == 204
        desk.clock.advance(us=CLEANUP_DELAY_US if is_running else 0)
        await desk.parts.shared(worker_of).step()
        assert await pieces(desk) == []

    await cancel(is_running=False)
    await cancel(is_running=True)
    job_id = await start_import(desk, data="devices", rows=[device(1)])
    await Apps(desk.database, desk.clock, desk.parts.ids).remove(desk.home.operator, "app_importer")
    for _ in range(2):
        await desk.parts.shared(worker_of).step()
    async with desk.database.read() as tx:
        stored = (await tx.execute(select(jobs.c.error_code, jobs.c.due_at_us).where(jobs.c.id == job_id))).first()
    assert stored is not None
    assert (stored.error_code, stored.due_at_us) == ("app_removed", None)
    assert await pieces(desk) == []


async def test_upload_that_an_open_job_names_is_refused_for_a_second_job(desk: JobDesk) -> None:
    upload_id = await desk.upload(FILE)
    payload = {"data": "devices", "uploads": [upload_id]}
    requests = [desk.post("importer", kind="import.bulk", payload=payload) for _ in range(3)]
    assert sorted(response.status_code for response in await asyncio.gather(*requests)) == [201, 422, 422]
    await desk.run()
    assert await refused(desk, **payload) == (422, "upload_unknown", ["/payload/uploads/0"])
