"""Integrators read the observations of an encounter over HTTP: pages, streams, filters and refusals."""

from collections.abc import AsyncIterator

import httpx
import pytest

from cloud.foundation.db import Database
from tests.builders.api_surface import Api, alike, api

ENCOUNTERS = "/api/v1/epcr/encounters"
SPO2 = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 98.0, "unit_code": "%"}
NDJSON = "application/x-ndjson"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        yield served


async def encounter_with(here: Api, *values: float) -> str:
    """Create an encounter, post these values to it, and return the address of its observations."""
    device = await here.enrol()
    encounter = (await here.post(ENCOUNTERS, {"care_model": "event_medical"})).json()["id"]
    for value in values:
        body = {**SPO2, "value": value, "encounter_id": encounter}
        assert (await here.post(f"/api/v1/devices/{device['id']}/observations", body)).status_code == 201
        here.clock.advance(us=1_000_000)
    return f"{ENCOUNTERS}/{encounter}/observations"


@pytest.mark.contract("S-062")
async def test_posted_observation_is_read_as_it_was_posted(here: Api) -> None:
    path = await encounter_with(here, 98.0)
    response = await here.get(path, who="reader")
    assert response.status_code == 200
    (shown,) = response.json()
    assert shown["observed_at"] == shown["received_at"] == "2026-03-24T12:00:00.000000Z"
    assert shown["id"].startswith("obs_")
    assert {name: shown[name] for name in ("value", "unit_code", "origin", "provenance", "flags", "status")} == {
        "value": 98.0,
        "unit_code": "%",
        "origin": "api",
        "provenance": None,
        "flags": [],
        "status": [],
    }


async def test_link_header_leads_through_all_pages_with_the_same_filters(here: Api) -> None:
    path = await encounter_with(here, 91.0, 92.0, 93.0, 94.0)
    values = []
    target = f"{path}?limit=1&mdc_code=MDC_PULS_OXIM_SAT_O2,MDC_PULS_RATE&since=2026-03-24T12:00:01Z"
    while target:
        response = await here.get(target)
        assert response.status_code == 200, response.text
        values += [shown["value"] for shown in response.json()]
        target = response.links.get("next", {}).get("url", "").removeprefix("https://api.example.org")
    assert values == [92.0, 93.0, 94.0]


async def test_cursor_is_refused_for_another_encounter_filter_or_form(here: Api) -> None:
    path = await encounter_with(here, 91.0, 92.0)
    other = (await here.post(ENCOUNTERS, {"care_model": "event_medical"})).json()["id"]
    cursor = httpx.URL((await here.get(f"{path}?limit=1")).links["next"]["url"]).params["cursor"]
    for target in (
        f"{ENCOUNTERS}/{other}/observations?cursor={cursor}",
        f"{path}?cursor={cursor}&mdc_code=MDC_PULS_RATE",
        f"{path}?cursor={cursor}&interval_s=60",
    ):
        refused = await here.get(target)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor"), target


async def test_stream_has_one_json_object_a_line(here: Api) -> None:
    path = await encounter_with(here, 91.0, 92.0)
    page = (await here.get(path)).json()
    for response in (await here.get(f"{path}?format=ndjson"), await here.get(path, Accept=NDJSON)):
        assert response.headers["Content-Type"] == NDJSON
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert [httpx.Response(200, text=line).json() for line in response.text.splitlines()] == page
    empty = await here.get(f"{path}?format=ndjson&mdc_code=MDC_PULS_RATE")
    assert (empty.status_code, empty.text) == (200, "")
    summaries = await here.get(f"{path}?format=ndjson&interval_s=60")
    assert httpx.Response(200, text=summaries.text).json()["count"] == 2


async def test_summary_by_interval_is_paged(here: Api) -> None:
    path = await encounter_with(here, 91.0, 92.0, 93.0)
    first = await here.get(f"{path}?interval_s=1&limit=2")
    following = await here.get(first.links["next"]["url"].removeprefix("https://api.example.org"))
    assert [shown["last"] for shown in (*first.json(), *following.json())] == [91.0, 92.0, 93.0]
    assert "next" not in following.links


async def test_unchanged_page_is_not_sent_again(here: Api) -> None:
    path = await encounter_with(here, 91.0)
    page = await here.get(path)
    assert page.headers["Cache-Control"] == "no-store"
    assert (await here.get(path, If_None_Match=page.headers["ETag"])).status_code == 304


async def test_invalid_parameters_are_refused(here: Api) -> None:
    path = await encounter_with(here)
    for query in (
        "since=yesterday",
        "until=2026-03-24T12:00:00",
        "interval_s=0",
        "interval_s=3601",
        "interval_s=1.5",
        "limit=0",
        "mdc_code=",
        "mdc_code=MDC;DROP",
        "format=xml",
        "unit=mm",
        "format=ndjson&limit=10",
        "mdc_code=" + ",".join(["MDC_PULS_RATE"] * 17),
    ):
        refused = await here.get(f"{path}?{query}")
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_query"), query


@pytest.mark.contract("S-060", "S-066", "A-006")
async def test_encounter_of_another_organisation_or_tenant_gets_the_response_of_an_absent_one(here: Api) -> None:
    path = await encounter_with(here, 91.0)
    for form in ("", "?format=ndjson", "?interval_s=60", "?interval_s=60&format=ndjson"):
        absent = await here.get(f"{ENCOUNTERS}/enc_absent/observations{form}")
        assert (absent.status_code, absent.json()["code"]) == (404, "encounter_unknown")
        for who in ("elsewhere", "south"):
            assert alike(await here.get(f"{path}{form}", who=who), absent)
    assert (await here.get(path, who="stranger")).status_code == 403
    assert (await here.get(path, who="nowhere")).json()["code"] == "organization_required"
