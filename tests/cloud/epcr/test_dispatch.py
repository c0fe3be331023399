"""A dispatch system creates encounters, and partners read the fields that they may see."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloud.access.audit import Audit
from cloud.clinical.epcr import evidence_id_of
from cloud.foundation.db import Database
from cloud.foundation.events import DomainSearch, Outbox
from cloud.foundation.ids import UlidIds
from cloud.work.evidence import EvidenceStore
from tests.builders.api_crew import crew_member
from tests.builders.api_surface import Api, alike, api
from tests.builders.contract_samples import sample, shape_faults

BEGIN = "/api/v1/epcr/encounters"
READ = "/api/v1/epcr/encounters/{encounterId}"
MISSION = {
    "care_model": "prehospital_emergency",
    "vehicle_id": "veh_north",
    "crew_ids": ["usr_1"],
    "cad_incident_id": "cad_999",
}


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        await crew_member(database, served.clock)
        yield served


async def ids_of_encounters(here: Api) -> list[str]:
    """Return the ids of the encounters that a dispatch system created."""
    async with here.database.read() as tx:
        told = await Outbox(UlidIds(here.clock)).list(tx, here.home.operator, DomainSearch(limit=100))
    return [event.key for event in told if event.type == "epcr.encounter.created" and event.payload["from_cad"]]


@pytest.mark.contract("C-111", "C-113", "C-114", "A-102", "A-010")
async def test_location_header_of_a_dispatch_response_links_to_the_created_encounter(here: Api) -> None:
    answer = await here.post(BEGIN, MISSION)
    assert answer.status_code == 201
    assert answer.json()["status"] == "in_progress"
    assert answer.headers["Location"] == f"https://api.example.org{BEGIN}/{answer.json()['id']}"
    read = await here.get(answer.headers["Location"].removeprefix("https://api.example.org"), who="reader")
    assert read.json() == {
        "id": answer.json()["id"],
        "organization_id": "org_north",
        "care_model": "prehospital_emergency",
        "status": "in_progress",
        "vehicle_id": "veh_north",
        "crew_count": 1,
        "observation_count": 0,
        "created_at": "2026-03-24T12:00:00.000000Z",
        "evidence_id": evidence_id_of("tnt_north", "encounter", answer.json()["id"]),
    }


@pytest.mark.contract("C-103", "C-104", "C-105", "C-113", "C-114")
async def test_responses_to_the_contract_sample_requests_have_the_fields_of_the_contract(here: Api) -> None:
    begin, read = sample("POST", BEGIN), sample("GET", READ)
    assert begin.request is not None
    assert begin.request.body is not None
    body = begin.request.body.replace("AMB-42", "veh_north").encode()
    made = await here.ask("POST", begin.request.target, body)
    assert made.status_code == 201
    assert shape_faults(begin.answer, made.json()) == []
    summary = await here.get(READ.replace("{encounterId}", made.json()["id"]))
    assert shape_faults(read.answer, summary.json()) == []


@pytest.mark.contract("A-102")
async def test_repeated_dispatch_of_one_incident_and_vehicle_returns_one_encounter(here: Api) -> None:
    first = await here.post(BEGIN, MISSION)
    again = await asyncio.gather(*(here.post(BEGIN, {**MISSION, "crew_ids": []}) for _ in range(10)))
    assert [one.status_code for one in again] == [200] * 10
    assert {one.json()["id"] for one in again} == {first.json()["id"]}
    assert all("Location" not in one.headers for one in again)
    other = await here.post(BEGIN, {**MISSION, "cad_incident_id": "cad_1000"})
    unmanned = [await here.post(BEGIN, {"care_model": "event_medical", "cad_incident_id": "cad_999"}) for _ in range(2)]
    assert [one.status_code for one in (other, *unmanned)] == [201, 201, 200]
    assert len(await ids_of_encounters(here)) == 3


@pytest.mark.contract("A-102")
async def test_ten_concurrent_dispatches_of_one_incident_create_one_encounter(here: Api) -> None:
    sent = await asyncio.gather(*(here.post(BEGIN, MISSION) for _ in range(10)))
    assert sorted(one.status_code for one in sent) == [200] * 9 + [201]
    assert len({one.json()["id"] for one in sent}) == 1


async def test_dispatches_with_one_incident_number_in_two_organisations_create_two_encounters(here: Api) -> None:
    body = {"care_model": "prehospital_emergency", "cad_incident_id": "cad_999"}
    north, south = await here.post(BEGIN, body), await here.post(BEGIN, body, who="south")
    assert (north.status_code, south.status_code) == (201, 201)
    assert north.json()["id"] != south.json()["id"]


@pytest.mark.contract("A-101", "C-105")
async def test_encounter_of_each_care_model_can_be_created(here: Api) -> None:
    for care_model in ("prehospital_emergency", "interfacility_transfer", "community_paramedicine", "event_medical"):
        assert (await here.post(BEGIN, {"care_model": care_model})).status_code == 201


MISTAKES: list[tuple[dict[str, Any], int, str]] = [
    ({"organization_id": "org_south"}, 400, "invalid_body"),
    ({"care_model": "house_call"}, 400, "invalid_body"),
    ({"crew_ids": "usr_1"}, 400, "invalid_body"),
    ({"crew_ids": [f"usr_{number}" for number in range(33)]}, 400, "invalid_body"),
    ({"crew_ids": ["usr_1", "usr_absent"]}, 422, "crew_member_unknown"),
    ({"vehicle_id": "veh_south"}, 422, "vehicle_unknown"),
    ({"vehicle_id": "veh_absent"}, 422, "vehicle_unknown"),
    ({"cad_incident_id": "  "}, 422, "cad_incident_malformed"),
]


@pytest.mark.contract("S-155", "A-102", "A-003")
async def test_invalid_dispatch_is_refused_and_creates_no_encounter(here: Api) -> None:
    told = []
    for change, _, _ in MISTAKES:
        answer = await here.post(BEGIN, {**MISSION, **change})
        told.append((change, answer.status_code, answer.json()["code"]))
    assert told == MISTAKES
    assert await ids_of_encounters(here) == []


async def test_dispatch_with_a_crew_member_of_another_organisation_is_refused_as_unknown(here: Api) -> None:
    await crew_member(here.database, here.clock, "usr_2", tenant="tnt_south", organization="org_south")
    answer = await here.post(BEGIN, {**MISSION, "crew_ids": ["usr_2"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "crew_member_unknown")


@pytest.mark.contract("C-112", "A-020", "A-013", "A-024")
async def test_encounter_routes_require_a_token_with_an_organisation_and_the_scope_of_the_route(here: Api) -> None:
    for who, begun, read in (
        ("north", 201, 200),
        ("reader", 403, 200),
        ("stranger", 403, 403),
        ("nowhere", 403, 403),
        ("unknown", 401, 401),
    ):
        assert (await here.post(BEGIN, {"care_model": "event_medical"}, who=who)).status_code == begun
        assert (await here.get(READ.replace("{encounterId}", "enc_north"), who=who)).status_code == read


@pytest.mark.contract("S-060", "A-006", "A-013", "A-015", "C-013")
async def test_encounter_of_another_tenant_or_organisation_gets_the_same_404_as_an_absent_encounter(here: Api) -> None:
    absent = await here.get(READ.replace("{encounterId}", "enc_absent"))
    assert absent.status_code == 404
    for who in ("south", "elsewhere"):
        assert alike(await here.get(READ.replace("{encounterId}", "enc_north"), who=who), absent)
    assert alike(await here.get(READ.replace("{encounterId}", "enc.north")), absent)


@pytest.mark.contract("C-106", "A-098", "S-150")
async def test_encounter_summary_has_only_the_documented_fields(here: Api) -> None:
    made = await here.post(BEGIN, MISSION)
    summary = await here.get(READ.replace("{encounterId}", made.json()["id"]))
    named = {"id", "organization_id", "care_model", "status"}
    added = {"vehicle_id", "crew_count", "observation_count", "created_at", "evidence_id"}
    assert set(summary.json()) == named | added
    assert "usr_1" not in summary.text
    assert "cad_999" not in summary.text


async def test_encounter_summary_contains_the_number_of_observations_posted_to_the_encounter(here: Api) -> None:
    device = await here.enrol()
    body = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 97.0, "unit_code": "%", "encounter_id": "enc_north"}
    for _ in range(3):
        assert (await here.post(f"/api/v1/devices/{device['id']}/observations", body)).status_code == 201
    assert (await here.get(READ.replace("{encounterId}", "enc_north"))).json()["observation_count"] == 3


@pytest.mark.contract("A-102")
async def test_dispatch_repeated_with_an_idempotency_key_creates_one_encounter(here: Api) -> None:
    body = {"care_model": "event_medical"}
    first, again = [await here.post(BEGIN, body, Idempotency_Key='"k-1"') for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (await here.post(BEGIN, body)).json()["id"] != first.json()["id"]


@pytest.mark.contract("C-017")
async def test_dispatch_is_audited_with_its_trace_id(here: Api) -> None:
    answer = await here.post(BEGIN, MISSION)
    async with here.database.read() as tx:
        (entry,) = await Audit(here.clock).list(tx, here.home.viewer)
    assert (entry.action, entry.object) == ("encounter.begin", answer.json()["id"])
    assert entry.trace_id == answer.headers["X-Argus-Trace-ID"]


@pytest.mark.contract("C-223", "A-130")
async def test_record_of_a_dispatch_has_its_trace_id_and_the_app_as_a_service(here: Api) -> None:
    answer = await here.post(BEGIN, MISSION)
    evidence_id = evidence_id_of("tnt_north", "encounter", answer.json()["id"])
    async with here.database.read() as tx:
        found = await EvidenceStore().transcript_of(tx, "tnt_north", evidence_id)
    assert found is not None
    (record,) = [one.core_members for one in found.records]
    assert (record["trace_id"], record["actor_kind"]) == (answer.headers["X-Argus-Trace-ID"], "service")
