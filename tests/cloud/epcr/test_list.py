"""Integrators list the encounters of their organisation in the order of creation."""

from collections.abc import AsyncIterator

import httpx
import pytest

from cloud.foundation.db import Database
from tests.builders.api_surface import Api, api

PATH = "/api/v1/epcr/encounters"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        served.clock.advance(us=1_000_000)  # after the encounters that every household has
        yield served


async def begin(here: Api, *, who: str = "north", **fields: str) -> str:
    answer = await here.post(PATH, {"care_model": "event_medical", **fields}, who=who)
    assert answer.status_code == 201, answer.text
    here.clock.advance(us=1_000_000)
    return str(answer.json()["id"])


async def ids(here: Api, query: str = "", *, who: str = "reader") -> list[str]:
    """Return the ids of a page, without those of the encounters that every household has."""
    answer = await here.get(f"{PATH}{query}", who=who)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json() if one["id"] not in ("enc_north", "enc_south")]


async def test_list_has_mission_data_and_no_patient_data(here: Api) -> None:
    encounter_id = await begin(here, vehicle_id="veh_north", cad_incident_id="cad_999")
    assert (await here.get(f"{PATH}?since=2026-03-24T12:00:01Z")).json() == [
        {
            "id": encounter_id,
            "organization_id": "org_north",
            "care_model": "event_medical",
            "status": "in_progress",
            "vehicle_id": "veh_north",
            "created_at": "2026-03-24T12:00:01.000000Z",
        }
    ]


async def test_filters_select_vehicle_incident_status_and_time(here: Api) -> None:
    first = await begin(here)
    second = await begin(here, vehicle_id="veh_north", cad_incident_id="cad 1/2")
    assert await ids(here) == [first, second]
    assert await ids(here, "?vehicle_id=veh_north") == [second]
    assert await ids(here, "?cad_incident_id=cad%201%2F2") == [second]
    assert await ids(here, "?since=2026-03-24T12:00:02Z") == [second]
    assert await ids(here, "?status=completed") == []
    assert await ids(here, "?status=in_progress") == [first, second]


async def test_pages_have_every_encounter_once_in_the_order_of_creation(here: Api) -> None:
    begun = [await begin(here, vehicle_id="veh_north") for _ in range(3)]
    target, found = f"{PATH}?limit=1&vehicle_id=veh_north", []
    while target:
        answer = await here.get(target)
        found += [one["id"] for one in answer.json() if one["id"] != "enc_north"]
        target = answer.links.get("next", {}).get("url", "").removeprefix("https://api.example.org")
    assert found == begun


@pytest.mark.contract("S-062", "S-063")
async def test_list_and_cursor_are_those_of_one_organisation_and_filter(here: Api) -> None:
    own = [await begin(here) for _ in range(2)]
    cursor = httpx.URL((await here.get(f"{PATH}?limit=1")).links["next"]["url"]).params["cursor"]
    assert await ids(here, who="elsewhere") == await ids(here, who="south") == []
    assert await ids(here, f"?cursor={cursor}", who="north") == own
    for who, more in (("elsewhere", ""), ("south", ""), ("north", "&status=in_progress")):
        assert (await here.get(f"{PATH}?cursor={cursor}{more}", who=who)).json()["code"] == "invalid_cursor"
