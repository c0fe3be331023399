"""Jobs are listed newest first in pages, with filters, sealed cursors and the exact number of all."""

import base64

import orjson
import pytest

from tests.builders.job_desk import JobDesk

MANY = 1_000
"""Jobs of one instant."""
ROW = {"tenant_id": "tnt_north", "organization_id": "org_north", "client_id": "app_north", "kind": "graph.compute"}


async def ids_of(desk: JobDesk, query: str, *, between_pages: bool = False) -> list[str]:
    """Return the ids of all pages of a list; add a job between two pages if wanted."""
    found: list[str] = []
    cursor = ""
    while True:
        page = await desk.list(f"{query}{cursor}")
        found += [job["id"] for job in page["jobs"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
        if between_pages:
            await desk.rows.enqueue(1, **ROW)


@pytest.mark.contract("C-179", "C-182", "C-184", "A-083", "A-084", "S-140")
async def test_every_job_of_one_instant_is_on_exactly_one_page_while_others_are_added(desk: JobDesk) -> None:
    existing = await desk.rows.enqueue(MANY, **ROW)
    desk.clock.advance(us=1)
    first = await desk.list("?limit=7")
    assert (first["total_count"], len(first["jobs"])) == (MANY, 7)
    found = await ids_of(desk, "?limit=97", between_pages=True)
    assert len(found) == len(set(found))
    assert set(existing) <= set(found)


@pytest.mark.contract("C-181", "A-084", "A-086")
async def test_filters_choose_jobs_by_kind_and_status_and_count_them_exactly(desk: JobDesk) -> None:
    await desk.rows.enqueue(3, **ROW)
    await desk.fail(await desk.run())
    await desk.run()
    for query, total in (
        ("?status=queued", 1),
        ("?status=failed", 1),
        ("?status=queued,running", 2),
        ("?kind=graph.compute&status=running", 1),
        ("?status=cancelled", 0),
        ("?kind=graph.compute", 3),
    ):
        page = await desk.list(query)
        assert (page["total_count"], len(page["jobs"])) == (total, total), query
    assert (await desk.list("?status=queued,running&limit=1"))["total_count"] == 2


@pytest.mark.contract("A-086", "S-142")
@pytest.mark.contract("A-082", "S-141", "C-182")
async def test_unknown_filter_is_refused_and_a_limit_is_a_whole_number_of_at_most_200_rows(desk: JobDesk) -> None:
    for query in ("status=done", "kind=x", "status=", "status=queued,done", "colour=red"):
        refused = await desk.get(f"/v1/jobs?{query}")
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_query")
    await desk.rows.enqueue(203, **ROW)
    for limit, rows in (("", 50), ("?limit=1", 1), ("?limit=201", 200), ("?limit=1000000000", 200)):
        assert len((await desk.list(limit))["jobs"]) == rows
    for limit in ("0", "-1", "abc", "1.5"):
        assert (await desk.get(f"/v1/jobs?limit={limit}")).status_code == 400


@pytest.mark.contract("A-083", "S-063", "S-139")
async def test_cursor_of_another_tenant_or_filter_and_an_altered_one_are_refused(desk: JobDesk) -> None:
    await desk.rows.enqueue(3, **ROW)
    cursor = (await desk.list("?limit=1&status=queued"))["next_cursor"]
    assert (await desk.get(f"/v1/jobs?limit=1&status=queued&cursor={cursor}")).status_code == 200
    made = base64.urlsafe_b64encode(orjson.dumps({"created_at": "2026-03-24T12:00:00Z"})).decode().rstrip("=")
    flipped = ("B" if cursor[0] == "A" else "A") + cursor[1:]
    for query, who in (
        (f"?limit=1&status=queued&cursor={cursor}", "south"),
        (f"?limit=1&status=queued&cursor={cursor}", "cleared"),
        (f"?limit=1&status=running&cursor={cursor}", "north"),
        (f"?limit=1&cursor={cursor}", "north"),
        (f"?limit=1&status=queued&cursor={flipped}", "north"),
        (f"?limit=1&status=queued&cursor={cursor[:-3]}", "north"),
        (f"?limit=1&status=queued&cursor={made}", "north"),
    ):
        refused = await desk.get(f"/v1/jobs{query}", who)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor"), query
