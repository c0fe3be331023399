"""Report drafts over HTTP: opened, written by several tablets, followed, filled from devices, and signed."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import gateway.epcr.drafts as drafts_module
from gateway.crew.reports import ADDRESS_STREAMS_MAX, OPENED_MAX, OPENED_S, QUIET_S, SMALL_BODY_BYTES_MAX
from gateway.epcr.call_observations import CallObservations
from protocols.observation import Observation
from protocols.observation_record import utc_text
from protocols.uplink.observations import DeviceObservations
from tests.builders.buffer_observations import OXIMETER
from tests.builders.crew_live import blood_pressure, spo2
from tests.harness.crew_app import PARAMEDIC
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock
from tests.harness.report_tablets import ENCOUNTER, NURSE, STUDENT, ReportVehicle, Tablet, report_vehicle

pytestmark = pytest.mark.asyncio(loop_scope="session")

AGE = {"id": "c1", "key": "patient.age", "value": "50"}
HOUR_US = 3_600_000_000
CHANGES = f"/drafts/{ENCOUNTER}/changes"


@pytest_asyncio.fixture(loop_scope="session")
async def vehicle(tmp_path: Path) -> AsyncIterator[ReportVehicle]:
    async with report_vehicle(tmp_path) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def anna(vehicle: ReportVehicle) -> AsyncIterator[Tablet]:
    """Return a tablet with an open report."""
    async with vehicle.tablet() as tablet:
        assert (await tablet.open_report()).status == 200
        yield tablet


@pytest_asyncio.fixture(loop_scope="session")
async def ewa(vehicle: ReportVehicle, anna: Tablet) -> AsyncIterator[Tablet]:
    async with vehicle.tablet(NURSE) as tablet:
        yield tablet


async def shown(tablet: Tablet, encounter: str, key: str) -> list[dict[str, Any]]:
    """Return the statements that a report shows for a key."""
    fields = (await tablet.record(encounter))["fields"]
    return [each for field in fields if field["key"] == key for each in field["shown"]]


async def event(tablet: Tablet, path: str, count: int = 1) -> list[tuple[str, Any]]:
    """Return the next events of a stream."""
    stream = await tablet.session.get(f"{tablet.url}{path}")
    found = []
    for _ in range(count):
        name, data = (await stream.content.readuntil(b"\n\n")).decode().strip().split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    stream.close()
    return found


async def test_check_10_report_opens_without_dispatch_data_and_is_listed_with_its_age(
    vehicle: ReportVehicle, anna: Tablet
):
    assert (await anna.open_report()).body["sequence"] == 3
    assert isinstance(vehicle.clock, MovedClock)
    await vehicle.clock.advance(3600)
    await anna.append({"id": "c1", "key": "situation.complaint", "value": "chest pain"})
    (listed,) = (await anna.get("/drafts")).body["drafts"]
    assert (listed["encounter"], listed["age_s"], listed["complaint"]) == (ENCOUNTER, 3600, "chest pain")
    assert listed["gaps"] > 5


async def test_change_is_stored_with_the_member_as_its_author_and_once(vehicle: ReportVehicle, anna: Tablet):
    first = await anna.append(AGE)
    assert (first.body["stored"], first.body["sequence"]) == (["c1"], 4)
    again = await anna.append(AGE)
    assert (again.status, again.body["repeated"], again.body["sequence"]) == (200, ["c1"], 4)
    draft = vehicle.drafts.find(ENCOUNTER)
    assert draft is not None
    assert draft.changes[-1].author == PARAMEDIC.id


async def test_report_is_the_same_after_the_gateway_was_started_again(tmp_path: Path):
    async with report_vehicle(tmp_path) as vehicle, vehicle.tablet() as tablet:
        await tablet.open_report()
        await tablet.append(AGE)
        before = await tablet.record()
    async with report_vehicle(tmp_path) as vehicle, vehicle.tablet() as tablet:
        assert await tablet.record() == before


async def test_statements_that_two_tablets_made_without_seeing_each_other_are_a_conflict_on_both(
    anna: Tablet, ewa: Tablet
):
    await anna.append(AGE)
    await ewa.append({**AGE, "id": "c2", "value": "51"})
    for tablet in (anna, ewa):
        (conflict,) = (await tablet.record())["conflicts"]
        assert [(each["value"], each["author"]) for each in conflict["statements"]] == [
            ("51", NURSE.id),
            ("50", PARAMEDIC.id),
        ]
    await anna.append({**AGE, "id": "c3", "replaces": ["c1", "c2"]})
    assert (await ewa.record())["conflicts"] == []


async def test_statement_that_replaces_the_one_its_author_saw_is_no_conflict(anna: Tablet, ewa: Tablet):
    await anna.append(AGE)
    await ewa.append({**AGE, "id": "c2", "value": "51", "replaces": ["c1"]})
    record = await anna.record()
    assert (record["conflicts"], await anna.values("patient.age")) == ([], ["51"])


async def test_stream_has_the_whole_draft_and_then_only_the_fields_that_change(anna: Tablet, ewa: Tablet):
    await anna.append(AGE)
    stream = await ewa.session.get(f"{ewa.url}/drafts/{ENCOUNTER}/stream")
    whole = await stream.content.readuntil(b"\n\n")
    assert whole.startswith(b"event: draft\n")
    await anna.append({"id": "c2", "key": "patient.sex", "value": "9919001"})
    name, data = (await stream.content.readuntil(b"\n\n")).decode().strip().split("\n")
    changes = json.loads(data.removeprefix("data: "))
    assert name == "event: changes"
    assert ([each["key"] for each in changes["fields"]], changes["sequence"]) == (["patient.sex"], 5)
    await anna.append({"id": "c3", "key": "patient.sex", "action": "remove", "replaces": ["c2"]})
    emptied = json.loads((await stream.content.readuntil(b"\n\n")).decode().strip().split("\ndata: ")[1])
    assert emptied["emptied"] == [{"key": "patient.sex", "entry": ""}]
    stream.close()


async def test_stream_from_the_present_sequence_sends_only_later_changes(vehicle: ReportVehicle, anna: Tablet):
    stream = await anna.session.get(f"{anna.url}/drafts/{ENCOUNTER}/stream?since=3")
    await anna.append(AGE)
    assert (await stream.content.readuntil(b"\n\n")).startswith(b"event: changes\n")
    stream.close()
    assert (await event(anna, f"/drafts/{ENCOUNTER}/stream?since=3"))[0][0] == "draft"


async def test_stream_of_a_report_that_was_dropped_from_memory_ends(
    vehicle: ReportVehicle, anna: Tablet, monkeypatch: pytest.MonkeyPatch
):
    assert isinstance(vehicle.clock, MovedClock)
    stream = await anna.session.get(f"{anna.url}/drafts/{ENCOUNTER}/stream?since=3")
    monkeypatch.setattr(drafts_module, "DRAFTS_MAX", 1)
    await anna.open_report("enc_next")
    await vehicle.clock.advance(QUIET_S)
    assert await stream.content.read() == b""
    assert (await event(anna, f"/drafts/{ENCOUNTER}/stream"))[0][1]["sequence"] == 3


async def test_reports_that_are_opened_within_an_hour_have_a_limit(vehicle: ReportVehicle, anna: Tablet):
    assert isinstance(vehicle.clock, MovedClock)
    for number in range(OPENED_MAX - 1):
        assert (await anna.open_report(f"enc_{number}")).status == 200
    refused = await anna.open_report("enc_more")
    assert (refused.status, refused.body["refused"][0]["code"]) == (429, "too_many")
    assert (await anna.open_report("enc_1")).status == 200
    await vehicle.clock.advance(OPENED_S)
    assert (await anna.open_report("enc_more")).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"changes": [{**AGE, "value": "aged"}]}, "value_not_permitted"),
        ({"changes": []}, "changes_malformed"),
        ({}, "changes_malformed"),
        ({"changes": [{"id": "c1", "key": "record.seal", "value": "{}"}]}, "annotation_not_permitted"),
        ({"changes": [AGE], "author": "usr_other"}, None),
    ],
)
async def test_request_that_breaks_a_rule_is_refused_without_repeating_it(anna: Tablet, body: Any, code: str | None):
    reply = await anna.post(CHANGES, body)
    assert reply.status == (200 if code is None else 422)
    if code is not None:
        assert reply.body["refused"][0]["code"] == code
        assert "aged" not in json.dumps(reply.body["refused"])


async def test_body_that_is_no_json_object_or_too_large_is_refused(anna: Tablet):
    assert (await anna.post(CHANGES, [AGE])).status == 400
    async with anna.session.post(f"{anna.url}{CHANGES}", data=b"{}") as reply:
        assert reply.status == 415
    assert (await anna.post("/drafts", {"encounter": "e" * SMALL_BODY_BYTES_MAX})).status == 413
    long = [{"id": f"c{number}", "key": "narrative.text", "value": "x" * 10_000} for number in range(30)]
    assert (await anna.post(CHANGES, {"changes": long})).status == 413


async def test_unknown_report_is_not_found_and_malformed_ids_are_refused(anna: Tablet):
    assert (await anna.get("/drafts/enc_none")).status == 404
    assert (await anna.get("/reports/enc_none")).status == 404
    for encounter in ("", "enc 1", 7, None):
        assert (await anna.post("/drafts", {"encounter": encounter})).status == 422


async def test_request_of_a_page_that_was_opened_for_another_member_is_refused(anna: Tablet):
    for path, body in (
        ("changes", {"changes": [AGE]}),
        ("proposals", {"accept": ["p1"]}),
        ("signature", {}),
    ):
        reply = await anna.post(f"/drafts/{ENCOUNTER}/{path}", {**body, "member": NURSE.id})
        assert reply.status == 401, path
    assert (await anna.record())["sequence"] == 3
    assert (await anna.post(CHANGES, {"changes": [AGE], "member": PARAMEDIC.id})).status == 200


async def test_acceptance_after_another_tablet_has_signed_is_refused(
    vehicle: ReportVehicle, anna: Tablet, ewa: Tablet, monkeypatch: pytest.MonkeyPatch
):
    await sections(vehicle, spo2(97.0, received_s=vehicle.clock.monotonic_s()))
    (proposal,) = (await anna.get(f"/drafts/{ENCOUNTER}/proposals")).body["proposals"]
    find = CallObservations.find

    async def find_and_sign(*arguments: Any) -> Any:
        found = await find(*arguments)
        assert (await ewa.post(f"/drafts/{ENCOUNTER}/signature", {})).status == 200
        return found

    monkeypatch.setattr(CallObservations, "find", find_and_sign)
    reply = await anna.post(f"/drafts/{ENCOUNTER}/proposals", {"accept": [proposal["id"]]})
    assert (reply.status, reply.body["refused"][0]["code"]) == (409, "sealed")


async def test_page_that_is_loaded_again_and_again_does_not_wait_for_the_places_of_its_closed_streams(anna: Tablet):
    path = f"{anna.url}/drafts/{ENCOUNTER}/stream"
    for _ in range(ADDRESS_STREAMS_MAX):
        stream = await anna.session.get(path)
        await stream.content.readuntil(b"\n\n")
        stream.close()  # the gateway's clock stands still, so it sends nothing by which it would notice this

    async def opens() -> bool:
        again = await anna.session.get(path)
        again.close()
        return again.status == 200

    await eventually(opens, what="the end of a connection is noticed")


async def test_alarm_is_offered_as_the_value_that_it_was_about_so_that_each_tablet_has_its_own_words(
    vehicle: ReportVehicle, anna: Tablet
):
    await sections(vehicle, spo2(82.0, received_s=vehicle.clock.monotonic_s(), status=0x0002))
    found = (await anna.get(f"/drafts/{ENCOUNTER}/proposals")).body["proposals"]
    (alarm,) = [each for each in found if each["kind"] == "alarm"]
    assert [(each["key"], each["value"]) for each in alarm["values"] if not each["key"].startswith("devices.")] == [
        ("vitals.spo2", "82")
    ]
    assert not [each for each in alarm["values"] if each["key"] == "devices.interpretation"]
    await anna.post(f"/drafts/{ENCOUNTER}/proposals", {"accept": [alarm["id"]]})
    assert await anna.values("devices.interpretation") == ["Alarm: SpO₂ 82 %"]


async def test_id_of_another_change_is_refused(anna: Tablet):
    await anna.append(AGE)
    reply = await anna.append({**AGE, "value": "51"})
    assert (reply.status, reply.body["refused"][0]["code"]) == (409, "id_reused")


async def test_request_of_another_site_is_refused(anna: Tablet):
    reply = await anna.post(CHANGES, {"changes": [AGE]}, headers={"Sec-Fetch-Site": "cross-site"})
    assert reply.status == 403


async def sections(vehicle: ReportVehicle, *observations: Observation) -> None:
    wall_offset_us = vehicle.clock.wall_us() - round(vehicle.clock.monotonic_s() * 1_000_000)
    await vehicle.buffer.append_sections(
        [
            DeviceObservations(
                device=OXIMETER,
                boot_id="boot-1",
                wall_offset_us=wall_offset_us,
                wall_synchronised=True,
                device_offset_us=None,
                uncertainty_us=40_000,
                stored=False,
                observations=list(observations),
            )
        ]
    )


async def test_check_17_stored_vital_signs_are_accepted_with_one_request_and_keep_their_source(
    vehicle: ReportVehicle, anna: Tablet
):
    now_s = vehicle.clock.monotonic_s()
    await sections(vehicle, spo2(97.0, received_s=now_s), blood_pressure(121.0, 79.0, 93.0, received_s=now_s + 1))
    (proposal,) = (await anna.get(f"/drafts/{ENCOUNTER}/proposals")).body["proposals"]
    assert (proposal["kind"], proposal["devices"], proposal["uncertainty_ms"]) == ("vitals", [OXIMETER.model], 40)
    accept = {"accept": [proposal["id"]]}
    assert (await anna.post(f"/drafts/{ENCOUNTER}/proposals", accept)).body["accepted"] == [proposal["id"]]
    assert await anna.values("vitals.systolic") == ["121"]
    assert await anna.values("vitals.spo2") == ["97"]
    (source,) = {json.loads(each or "")["device"] for each in await anna.values("record.source")}
    assert source == OXIMETER.system_id
    sequence = (await anna.record())["sequence"]
    assert (await anna.post(f"/drafts/{ENCOUNTER}/proposals", accept)).body["sequence"] == sequence
    assert (await anna.get(f"/drafts/{ENCOUNTER}/proposals")).body["proposals"] == []


async def pressure(vehicle: ReportVehicle) -> None:
    """Store a blood pressure that a cuff measures ten minutes after the one before."""
    assert isinstance(vehicle.clock, MovedClock)
    await vehicle.clock.advance(600)
    await sections(vehicle, blood_pressure(121.0, 79.0, 93.0, received_s=vehicle.clock.monotonic_s()))


async def offered(tablet: Tablet, encounter: str = ENCOUNTER) -> tuple[int, str]:
    """Return the number of proposals of a report, and which report the devices measure for."""
    body = (await tablet.get(f"/drafts/{encounter}/proposals")).body
    return len(body["proposals"]), body["devices"]


async def take(tablet: Tablet, encounter: str, since: str) -> int:
    return (await tablet.post(f"/drafts/{encounter}/devices", {"since": since})).status


async def test_devices_measure_for_the_report_that_holds_them_until_a_crew_member_moves_them(
    vehicle: ReportVehicle, anna: Tablet
):
    await anna.open_report("enc_next")
    await pressure(vehicle)
    assert (await offered(anna), await offered(anna, "enc_next")) == ((1, "here"), (0, "elsewhere"))
    assert await take(anna, "enc_next", "now") == 200
    await pressure(vehicle)
    assert (await offered(anna), await offered(anna, "enc_next")) == ((1, "elsewhere"), (1, "here"))
    listed = (await anna.get("/drafts")).body["drafts"]
    assert {each["encounter"]: each["holds_devices"] for each in listed} == {ENCOUNTER: False, "enc_next": True}
    assert [each["author"] for each in await shown(anna, "enc_next", "record.devices")] == [PARAMEDIC.id] * 2


async def test_devices_are_moved_with_what_they_measured_since_the_report_was_opened(
    vehicle: ReportVehicle, anna: Tablet
):
    await pressure(vehicle)
    await anna.open_report("enc_next")
    await pressure(vehicle)
    assert (await offered(anna), await offered(anna, "enc_next")) == ((2, "here"), (0, "elsewhere"))
    assert await take(anna, "enc_next", "opening") == 200
    assert (await offered(anna), await offered(anna, "enc_next")) == ((1, "elsewhere"), (1, "here"))


async def test_report_that_is_opened_after_the_transfer_of_care_takes_the_devices(vehicle: ReportVehicle, anna: Tablet):
    await pressure(vehicle)
    transferred = utc_text(vehicle.clock.wall_us()).replace("Z", "+00:00")
    await anna.append({"id": "t1", "key": "times.transfer_of_care", "value": transferred})
    await pressure(vehicle)
    await anna.open_report("enc_next")
    assert (await offered(anna), await offered(anna, "enc_next")) == ((1, "elsewhere"), (1, "here"))


async def test_devices_are_not_moved_to_a_signed_report_or_by_a_malformed_request(anna: Tablet):
    assert await take(anna, ENCOUNTER, "yesterday") == 422
    assert (await anna.post(f"/drafts/{ENCOUNTER}/signature", {})).status == 200
    assert await take(anna, ENCOUNTER, "now") == 409
    assert await offered(anna) == (0, "free")


async def test_step_of_the_clock_moves_no_value_to_another_report(vehicle: ReportVehicle, anna: Tablet):
    assert isinstance(vehicle.clock, MovedClock)
    for step_us in (-HOUR_US, 2 * HOUR_US, -HOUR_US):
        vehicle.clock.set_wall_us(vehicle.clock.wall_us() + step_us)
        await pressure(vehicle)
    assert await offered(anna) == (3, "here")


async def test_observations_from_before_a_report_are_those_of_an_earlier_open_report_only(
    vehicle: ReportVehicle, anna: Tablet
):
    assert isinstance(vehicle.clock, MovedClock)
    await vehicle.clock.advance(1200)
    await sections(vehicle, blood_pressure(121.0, 79.0, 93.0, received_s=vehicle.clock.monotonic_s()))
    await vehicle.clock.advance(60)
    await anna.open_report("enc_next")
    assert len((await anna.get(f"/drafts/{ENCOUNTER}/proposals")).body["proposals"]) == 1
    assert (await anna.get("/drafts/enc_next/proposals")).body["proposals"] == []


async def test_observations_from_before_a_report_are_proposed_after_the_earlier_report_was_signed(
    vehicle: ReportVehicle, anna: Tablet
):
    assert isinstance(vehicle.clock, MovedClock)
    assert (await anna.post(f"/drafts/{ENCOUNTER}/signature", {})).status == 200
    await vehicle.clock.advance(1200)
    await sections(vehicle, blood_pressure(121.0, 79.0, 93.0, received_s=vehicle.clock.monotonic_s()))
    await vehicle.clock.advance(60)
    await anna.open_report("enc_next")
    assert len((await anna.get("/drafts/enc_next/proposals")).body["proposals"]) == 1


@pytest.mark.parametrize("accept", [None, [], ["p"] * 17, [7], "p1"])
async def test_malformed_acceptance_is_refused(anna: Tablet, accept: Any):
    assert (await anna.post(f"/drafts/{ENCOUNTER}/proposals", {"accept": accept})).status == 422


async def test_signed_report_takes_only_addenda_of_members_who_may_sign(vehicle: ReportVehicle, anna: Tablet):
    await anna.append(AGE)
    signed = await anna.post(f"/drafts/{ENCOUNTER}/signature", {})
    assert (signed.status, (await anna.record())["sealed"]) == (200, True)
    late = {**AGE, "id": "c2", "value": "51", "replaces": ["c1"]}
    refused = await anna.append(late)
    assert (refused.status, refused.body["refused"][0]["code"]) == (409, "sealed")
    reason = {"id": "a1", "key": "record.addendum", "entry": "a1", "value": "The age was wrong"}
    async with vehicle.tablet(STUDENT) as student:
        assert (await student.append(reason, late)).status == 403
        assert (await student.post(f"/drafts/{ENCOUNTER}/signature", {})).status == 403
    assert (await anna.append(reason, late)).status == 200
    assert await anna.values("patient.age") == ["51"]


async def test_signature_demands_a_decision_about_each_conflict(anna: Tablet, ewa: Tablet):
    await anna.append(AGE)
    await ewa.append({**AGE, "id": "c2", "value": "51"})
    refused = await anna.post(f"/drafts/{ENCOUNTER}/signature", {})
    assert (refused.status, [each["key"] for each in refused.body["conflicts"]]) == (409, ["patient.age"])
    await anna.append({"id": "d1", "key": "record.both_stand", "entry": "d1", "value": "c1 c2"})
    assert (await anna.post(f"/drafts/{ENCOUNTER}/signature", {})).status == 200


async def test_locked_tablet_reads_no_report_and_its_stream_ends(anna: Tablet):
    stream = await anna.session.get(f"{anna.url}/drafts/{ENCOUNTER}/stream?since=3")
    await anna.session.post(f"{anna.url}/lock", allow_redirects=False)
    assert (await anna.get(f"/drafts/{ENCOUNTER}")).status == 401
    assert (await anna.get(f"/reports/{ENCOUNTER}")).status == 303
    stream.close()
