"""A dispatch system sends what it knows of the call: it reaches the mission of the vehicle, and no response."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloud.foundation.db import Database
from cloud.vehicles.missions import MissionRows
from cloud.vehicles.missions.model import VehicleMission
from tests.builders.api_surface import Api, api

BEGIN = "/api/v1/epcr/encounters"
STREET = "Marktgasse 12"
CALL = {"street": STREET, "city": "Bern", "reason": "2301047", "received_at": "2026-03-24T12:58:00+01:00"}
DISPATCH: dict[str, Any] = {
    "care_model": "prehospital_emergency",
    "vehicle_id": "veh_north",
    "cad_incident_id": "cad_999",
    "call": CALL,
}


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        yield served


async def missions(here: Api) -> list[VehicleMission]:
    async with here.database.read() as tx:
        return list(await MissionRows(here.clock).list(tx, here.home.operator))


async def test_call_data_of_a_new_encounter_are_those_of_the_mission(here: Api) -> None:
    made = await here.post(BEGIN, DISPATCH)
    assert made.status_code == 201, made.text
    (mission,) = await missions(here)
    assert (mission.encounter_id, mission.vehicle_id, mission.version) == (made.json()["id"], "veh_north", 1)
    assert mission.call_data == {
        "call.incident_number": "cad_999",
        "scene.street": STREET,
        "scene.city": "Bern",
        "call.reason": "2301047",
        "times.call_received": "2026-03-24T11:58:00.000000Z",
    }
    assert (await here.post(BEGIN, DISPATCH)).status_code == 200
    assert len(await missions(here)) == 1


async def test_no_response_has_call_data(here: Api) -> None:
    path = f"{BEGIN}/{(await here.post(BEGIN, DISPATCH)).json()['id']}"
    changed = await here.ask("PATCH", f"{path}/mission", {"call": {"directions": "behind the church"}})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    responses = [changed, await here.get(path, who="reader"), await here.get(f"{path}/mission", who="reader")]
    assert all(each.status_code == 200 for each in responses)
    assert all(word not in each.text for each in responses for word in (STREET, "Bern", "church"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("reason", "heart attack"), ("position", "here"), ("received_at", "yesterday"), ("street", "a\u202eb")],
)
async def test_malformed_call_data_are_refused_by_field_and_without_the_value(
    here: Api, field: str, value: str
) -> None:
    refused = await here.post(BEGIN, DISPATCH | {"call": CALL | {field: value}})
    assert (refused.status_code, refused.json()["code"]) == (422, "call_data_malformed")
    assert refused.json()["errors"][0]["pointer"] == f"/call/{field}"
    assert value not in refused.text
    assert await missions(here) == []


async def test_unknown_field_of_call_data_is_refused(here: Api) -> None:
    assert (await here.post(BEGIN, DISPATCH | {"call": {"patient": "Nowak"}})).status_code == 400
