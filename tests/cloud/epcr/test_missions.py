"""A dispatch system follows the mission of an encounter, changes it and ends it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloud.access.audit import Audit
from cloud.clinical.epcr.care_log import CareLog, ReceivedChanges
from cloud.foundation.db import Database
from cloud.foundation.events import DomainSearch, Outbox
from cloud.foundation.ids import UlidIds
from tests.builders.api_crew import crew_member
from tests.builders.api_surface import Api, alike, api
from tests.builders.care_changes import change
from tests.builders.cloud_people import MINUTE_US

BEGIN = "/api/v1/epcr/encounters"
DISPATCH = {"care_model": "prehospital_emergency", "cad_incident_id": "cad_999"}


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        await crew_member(database, served.clock)
        await crew_member(database, served.clock, "usr_2")
        yield served


async def begun(here: Api, **more: Any) -> str:
    """Return the path of the mission of a new encounter."""
    return f"{BEGIN}/{(await here.post(BEGIN, DISPATCH | more)).json()['id']}/mission"


async def patch(here: Api, path: str, **fields: Any) -> Any:
    return await here.ask("PATCH", path, fields)


async def events(here: Api) -> list[tuple[str, dict[str, Any]]]:
    async with here.database.read() as tx:
        found = await Outbox(UlidIds(here.clock)).list(tx, here.home.operator, DomainSearch(limit=100))
    return [(each.type, dict(each.payload)) for each in found if each.payload.get("encounter_id") != "enc_north"]


async def state(here: Api, path: str, *keys: str) -> None:
    """Store times of the vehicle's record: one change of each of these elements."""
    encounter = path.split("/")[-2]
    log = [change(key, "2026-03-24T12:00:00+00:00", encounter=encounter) for key in keys]
    received = ReceivedChanges(
        lane_id=1,
        sequence=1,
        tenant_id="tnt_north",
        organization_id="org_north",
        vehicle_id="veh_north",
        gateway_id="gw_north",
        received_at_us=here.clock.now_us(),
        changes=log,
    )
    async with here.database.transaction() as tx:
        await CareLog().append(tx, [received])


@pytest.mark.contract("A-101")
async def test_dispatch_system_changes_the_mission_and_ends_the_encounter(here: Api) -> None:
    path = await begun(here)
    changed = await patch(here, path, vehicle_id="veh_north", crew_ids=["usr_1", "usr_2"], care_model="event_medical")
    assert changed.status_code == 200, changed.text
    here.clock.advance(us=30 * MINUTE_US)
    ended = await patch(here, path, status="completed", ended_at="2026-03-24T13:15:00+01:00")
    assert ended.json() == {
        "id": path.split("/")[-2],
        "version": 3,
        "status": "completed",
        "vehicle_status": None,
        "ended_at": "2026-03-24T12:15:00.000000Z",
        "vehicle_id": "veh_north",
        "care_model": "event_medical",
        "crew_count": 2,
        "created_at": "2026-03-24T12:00:00.000000Z",
    }
    assert (await here.get(path, who="reader")).json() == ended.json()
    summary = (await here.get(path.removesuffix("/mission"))).json()
    assert (summary["status"], summary["crew_count"]) == ("completed", 2)
    found = await events(here)
    assert [kind for kind, _ in found] == [
        "incident.created",
        "epcr.encounter.created",
        "incident.updated",
        "epcr.encounter.updated",
        "incident.closed",
        "epcr.encounter.finished",
    ]
    assert found[3][1]["changed"] == ["vehicle_id", "care_model", "crew_ids"]
    assert found[5][1]["finished_at"] == "2026-03-24T12:15:00.000000Z"


@pytest.mark.contract("A-101")
@pytest.mark.parametrize("status", ["completed", "cancelled", "transferred"])
async def test_first_end_stands_and_its_repetition_has_no_effect(here: Api, status: str) -> None:
    path = await begun(here)
    first = await patch(here, path, status=status)
    again = await patch(here, path, status=status)
    assert (again.status_code, again.content, again.headers["ETag"]) == (200, first.content, first.headers["ETag"])
    for fields in ({"status": "in_progress"}, {"care_model": "event_medical"}, {"crew_ids": ["usr_2"]}):
        refused = await patch(here, path, **fields)
        assert (refused.status_code, refused.json()["code"]) == (409, "encounter_finished")
    others = {"completed", "cancelled", "transferred"} - {status}
    assert {(await patch(here, path, status=other)).status_code for other in others} == {409}
    assert [kind for kind, _ in await events(here)].count("epcr.encounter.finished") == 1


async def test_change_with_an_outdated_entity_tag_is_refused(here: Api) -> None:
    path = await begun(here)
    first = (await here.get(path)).headers["ETag"]
    done = await here.ask("PATCH", path, {"crew_ids": ["usr_1"]}, If_Match=first)
    assert done.status_code == 200
    refused = await here.ask("PATCH", path, {"crew_ids": ["usr_2"]}, If_Match=first)
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert (await here.ask("PATCH", path, {"crew_ids": ["usr_2"]}, If_Match=done.headers["ETag"])).status_code == 200


async def test_only_one_of_ten_concurrent_changes_of_one_version_succeeds(here: Api) -> None:
    path = await begun(here)
    tag = (await here.get(path)).headers["ETag"]
    bodies = [{"status": status} for status in ("completed", "cancelled", "transferred")] * 3
    sent = await asyncio.gather(*(here.ask("PATCH", path, body, If_Match=tag) for body in bodies))
    assert sorted(one.status_code for one in sent) == [200] + [412] * 8


async def test_observations_of_the_encounter_do_not_change_the_entity_tag_of_its_mission(here: Api) -> None:
    device = await here.enrol()
    path = f"{BEGIN}/enc_north/mission"
    tag = (await here.get(path)).headers["ETag"]
    body = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 97.0, "unit_code": "%", "encounter_id": "enc_north"}
    assert (await here.post(f"/api/v1/devices/{device['id']}/observations", body)).status_code == 201
    assert (await here.get(path)).headers["ETag"] == tag


async def test_change_repeated_with_an_idempotency_key_returns_the_first_response(here: Api) -> None:
    path = await begun(here)
    first = await here.ask("PATCH", path, {"crew_ids": ["usr_1"]}, Idempotency_Key='"k-1"')
    assert (await patch(here, path, crew_ids=["usr_2"])).json()["version"] == 3
    again = await here.ask("PATCH", path, {"crew_ids": ["usr_1"]}, Idempotency_Key='"k-1"')
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await here.get(path)).json()["version"] == 3


async def test_change_without_effect_emits_no_event_and_keeps_the_version(here: Api) -> None:
    path = await begun(here, vehicle_id="veh_north", crew_ids=["usr_1"])
    before = await events(here)
    same = {"vehicle_id": "veh_north", "crew_ids": ["usr_1"], "status": "in_progress"}
    assert (await patch(here, path, **same)).json()["version"] == 1
    assert (await patch(here, path)).status_code == 200
    assert await events(here) == before


@pytest.mark.parametrize(
    ("stated", "status"),
    [
        (["times.cancelled", "times.in_service"], "cancelled"),
        (["times.handed_over", "times.in_service"], "transferred"),
        (["times.transfer_of_care"], "completed"),
        (["times.on_scene"], None),
    ],
)
async def test_end_that_the_vehicle_states_is_shown_and_recorded_but_does_not_decide(
    here: Api, stated: list[str], status: str | None
) -> None:
    path = await begun(here)
    tag = (await here.get(path)).headers["ETag"]
    await state(here, path, *stated)
    mission = (await here.get(path)).json()
    assert (mission["status"], mission["vehicle_status"]) == ("in_progress", status)
    if status is not None:  # the dispatch system has to read this statement first
        assert (await here.ask("PATCH", path, {"status": "completed"}, If_Match=tag)).status_code == 412
    ended = await patch(here, path, status="completed")
    assert (ended.json()["status"], ended.json()["vehicle_status"]) == ("completed", status)
    (finished,) = [payload for kind, payload in await events(here) if kind == "epcr.encounter.finished"]
    assert (finished["status"], finished["vehicle_status"]) == ("completed", status)
    async with here.database.read() as tx:
        (entry,) = await Audit(here.clock).list(tx, here.home.viewer, action="encounter.finish")
    assert entry.metadata["vehicle_status"] == status


MISTAKES: list[tuple[dict[str, Any], int, str]] = [
    ({"organization_id": "org_south"}, 400, "invalid_body"),
    ({"vehicle_id": None}, 400, "invalid_body"),
    ({"status": "lost"}, 400, "invalid_body"),
    ({"crew_ids": [f"usr_{number}" for number in range(33)]}, 400, "invalid_body"),
    ({"ended_at": "yesterday", "status": "completed"}, 400, "moment_malformed"),
    ({"ended_at": "2026-03-24T12:00:00Z"}, 422, "end_time_misplaced"),
    ({"ended_at": "2026-03-24T12:00:00Z", "status": "in_progress"}, 422, "end_time_misplaced"),
    ({"ended_at": "2026-03-24T12:06:00Z", "status": "completed"}, 422, "end_time_misplaced"),
    ({"ended_at": "2026-02-20T12:00:00Z", "status": "completed"}, 422, "end_time_misplaced"),
    ({"crew_ids": ["usr_1", "usr_absent"]}, 422, "crew_member_unknown"),
    ({"vehicle_id": "veh_south"}, 422, "vehicle_unknown"),
]


@pytest.mark.contract("A-003")
async def test_invalid_change_is_refused_and_has_no_effect(here: Api) -> None:
    path = await begun(here)
    before = (await here.get(path)).json(), await events(here)
    found = []
    for fields, _, _ in MISTAKES:
        answer = await patch(here, path, **fields)
        found.append((fields, answer.status_code, answer.json()["code"]))
    assert found == MISTAKES
    assert ((await here.get(path)).json(), await events(here)) == before


async def test_vehicle_that_has_the_incident_already_is_refused(here: Api) -> None:
    await begun(here, vehicle_id="veh_north")
    refused = await patch(here, await begun(here), vehicle_id="veh_north")
    assert (refused.status_code, refused.json()["code"]) == (409, "encounter_taken")


@pytest.mark.contract("A-020", "A-013", "A-006")
async def test_mission_needs_the_scope_and_the_organisation_of_the_encounter(here: Api) -> None:
    path = f"{BEGIN}/enc_north/mission"
    statuses = {
        who: ((await here.get(path, who=who)).status_code, (await here.ask("PATCH", path, {}, who=who)).status_code)
        for who in ("north", "reader", "stranger", "nowhere", "unknown", "south", "elsewhere")
    }
    assert statuses == {
        "north": (200, 200),
        "reader": (200, 403),
        "stranger": (403, 403),
        "nowhere": (403, 403),
        "unknown": (401, 401),
        "south": (404, 404),
        "elsewhere": (404, 404),
    }
    absent = await here.ask("PATCH", f"{BEGIN}/enc_absent/mission", {"status": "completed"})
    assert alike(await here.ask("PATCH", path, {"status": "completed"}, who="south"), absent)


@pytest.mark.contract("C-017", "A-098")
async def test_change_and_end_are_audited_with_their_trace_and_no_crew_id(here: Api) -> None:
    path = await begun(here)
    answer = await patch(here, path, crew_ids=["usr_1"], status="cancelled")
    async with here.database.read() as tx:
        found = await Audit(here.clock).list(tx, here.home.viewer)
    entries = {entry.action: entry for entry in found}
    assert set(entries) == {"encounter.begin", "encounter.change", "encounter.finish"}
    assert entries["encounter.finish"].metadata["status"] == "cancelled"
    assert entries["encounter.change"].trace_id == entries["encounter.finish"].trace_id
    assert entries["encounter.finish"].trace_id == answer.headers["X-Argus-Trace-ID"]
    assert "crew" not in repr([entry.metadata for entry in found])
