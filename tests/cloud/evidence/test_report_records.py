"""The seal of a report and a 12-lead capture get records of their own in the evidence of the encounter."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects
from cloud.work.evidence import report_records
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.epcr.seal import GATEWAY_AUTHOR, chain_end, seal_value
from tests.builders.care_changes import ANNA, NOW_US, change
from tests.builders.followed_vehicle import FollowedVehicle
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.retention_world import waveform

ENCOUNTER, REPORT = "enc_1", "enc_of_crew"
SIGNED = change("signatures.time", "2026-03-24T10:00:00Z", entry="s1", encounter=ENCOUNTER)
SATURATION = change("vitals.spo2", "97", encounter=ENCOUNTER)
PART_OF = change(Annotation.PART_OF, ENCOUNTER, encounter=REPORT)
JOINED = change(Annotation.JOINED, REPORT, encounter=ENCOUNTER)
SIGNED_BY_CREW = replace(SIGNED, id="signed-by-crew", encounter=REPORT)


@pytest.fixture
async def vehicle(database: Database, tmp_path: Path) -> FollowedVehicle:
    objects = LocalObjects(tmp_path / "objects")
    return await FollowedVehicle(database, GatewayInVehicle(), objects=objects).begin()


def seal_of(gateway: GatewayInVehicle, *log: FieldChange) -> FieldChange:
    encounter = log[0].encounter
    value = seal_value(encounter, len(log), chain_end(encounter, log), gateway.key.sign)
    return change(Annotation.SEAL, value, encounter=encounter, author=GATEWAY_AUTHOR)


def ecg_of_crew(vehicle: FollowedVehicle) -> FieldChange:
    return change("vitals.ecg_type", "3304003", encounter=REPORT, gateway_time_us=vehicle.gateway.now_us)


async def details_of(vehicle: FollowedVehicle, name: str) -> list[dict[str, Any]]:
    records = [one.core_members.get("details", {}) for one in await vehicle.room.records(vehicle.encounter)]
    return [details[name] for details in records if name in details]


@pytest.mark.contract("A-123")
async def test_signed_report_gets_a_record_with_the_hash_of_its_log_and_its_signers(vehicle: FollowedVehicle) -> None:
    log = (SATURATION, SIGNED)
    await vehicle.cloud.take(vehicle.gateway.send_changes(*log, seal_of(vehicle.gateway, *log)))
    assert await vehicle.room.following.turn() == 1
    (found,) = await details_of(vehicle, "report_seal")
    assert (found["verdict"], found["changes"], found["signed_by"]) == ("intact", 2, [ANNA])
    assert found["digest"] == chain_end(ENCOUNTER, log).hex()
    assert (found["lane"], found["sequence"]) == ("epcr", 1)
    assert (await vehicle.room.records(vehicle.encounter))[-1].content_members["report"]["digest"] == found["digest"]
    assert await vehicle.room.findings(TENANT) == []


async def test_seal_after_an_addendum_gets_a_further_record(vehicle: FollowedVehicle) -> None:
    log: list[FieldChange] = [SIGNED]
    for _ in range(2):
        log.append(seal_of(vehicle.gateway, *log))
        await vehicle.cloud.take(vehicle.gateway.send_changes(*log[-1:] if len(log) > 2 else log))
        await vehicle.room.following.turn()
        vehicle.pass_minutes(5)
    assert [(one["changes"], one["verdict"]) for one in await details_of(vehicle, "report_seal")] == [
        (1, "intact"),
        (2, "intact"),
    ]


@pytest.mark.parametrize(
    ("sealed", "key", "verdict"),
    [
        ((SATURATION,), None, "changed"),
        ((SATURATION, SIGNED), GatewayInVehicle(key_seed=9), "forged"),
        (None, None, "unreadable"),
    ],
)
async def test_record_of_a_seal_that_does_not_fit_says_so(
    vehicle: FollowedVehicle, sealed: tuple[FieldChange, ...] | None, key: GatewayInVehicle | None, verdict: str
) -> None:
    if sealed is None:
        value = '{"form":1,"changes":9007199254740993,"digest":"","signature":""}'
        seal = change(Annotation.SEAL, value, encounter=ENCOUNTER)
    else:
        seal = seal_of(key or vehicle.gateway, *sealed)
    await vehicle.cloud.take(vehicle.gateway.send_changes(SATURATION, SIGNED, seal))
    await vehicle.room.following.turn()
    assert [one["verdict"] for one in await details_of(vehicle, "report_seal")] == [verdict]


@pytest.mark.parametrize(("key", "value"), [("vitals.ecg_type", "3304003"), ("devices.event", "4103001")])
async def test_12_lead_capture_gets_a_record_with_the_batches_of_its_waveforms(
    vehicle: FollowedVehicle, key: str, value: str
) -> None:
    taken = change(key, value, entry="e1", encounter=ENCOUNTER, gateway_time_us=vehicle.gateway.now_us)
    other = change("devices.event", "4103009", entry="e2", encounter=ENCOUNTER)
    await vehicle.cloud.take(waveform(vehicle.gateway), vehicle.gateway.send_changes(taken, other))
    await vehicle.room.following.turn()
    assert await details_of(vehicle, "ecg_capture") == [], "its waveforms may not be complete"
    vehicle.pass_minutes(5)
    await vehicle.cloud.take(waveform(vehicle.gateway))
    await vehicle.room.following.turn()
    (found,) = await details_of(vehicle, "ecg_capture")
    assert (found["entry"], found["author"], found["complete"]) == ("e1", ANNA, True)
    assert found["waveform_batches"] == [{"epoch": "epoch-a", "first_sequence": 1, "last_sequence": 1}]
    vehicle.pass_minutes(5)
    assert await vehicle.room.following.turn() == 0
    assert await vehicle.room.findings(TENANT) == []


async def test_record_of_a_capture_waits_for_staged_waveforms_that_arrive_after_the_report(
    database: Database, tmp_path: Path
) -> None:
    objects = LocalObjects(tmp_path / "objects")
    vehicle = FollowedVehicle(database, GatewayInVehicle(), objects=objects)
    vehicle.cloud = CloudUnderTest(database, clock=vehicle.cloud.clock, objects=objects, staged=True)
    await vehicle.begin()
    taken = change("vitals.ecg_type", "3304003", encounter=ENCOUNTER, gateway_time_us=vehicle.gateway.now_us)
    await vehicle.cloud.arrive(vehicle.gateway.send_changes(taken))
    await vehicle.room.following.turn()
    for _ in range(2):
        await vehicle.cloud.arrive(waveform(vehicle.gateway))
        vehicle.pass_minutes(5)
    await vehicle.room.following.turn()
    assert await details_of(vehicle, "ecg_capture") == []
    await vehicle.cloud.ingest.settle()
    vehicle.pass_minutes(5)
    await vehicle.room.following.turn()
    (found,) = await details_of(vehicle, "ecg_capture")
    assert (found["complete"], found["waveform_batches"][0]["first_sequence"]) == (True, 1)


async def test_capture_whose_waveforms_do_not_arrive_is_recorded_after_six_hours_as_incomplete(
    vehicle: FollowedVehicle,
) -> None:
    taken = change("vitals.ecg_type", "3304003", encounter=ENCOUNTER, gateway_time_us=NOW_US, device_time_us=2**63 - 1)
    await vehicle.cloud.take(waveform(vehicle.gateway), vehicle.gateway.send_changes(taken))
    await vehicle.room.following.turn()
    vehicle.pass_minutes(359)
    assert await vehicle.room.following.turn() == 0
    vehicle.pass_minutes(30)
    assert await vehicle.room.following.turn() == 1
    assert [(one["complete"], one["waveform_batches"]) for one in await details_of(vehicle, "ecg_capture")] == [
        (False, [])
    ]


async def test_report_that_is_sealed_after_the_end_of_the_encounter_gets_its_record(vehicle: FollowedVehicle) -> None:
    await vehicle.end()
    log = [SATURATION, change("vitals.spo2", "98", encounter=ENCOUNTER), SIGNED]
    for one in log[:2]:
        vehicle.pass_minutes(5)
        await vehicle.cloud.take(vehicle.gateway.send_changes(one))
        assert await vehicle.room.following.turn() == 1
    for _ in range(2):
        vehicle.pass_minutes(60)
        await vehicle.cloud.take(vehicle.gateway.send_changes(change(encounter="enc_next")))
        assert await vehicle.room.following.turn() == 0, "it is not of this encounter"
    vehicle.pass_days(2)
    await vehicle.room.following.turn()
    await vehicle.cloud.take(vehicle.gateway.send_changes(log[2], seal_of(vehicle.gateway, *log)))
    vehicle.pass_minutes(6 * 60)
    assert await vehicle.room.following.turn() == 1
    assert [(one["changes"], one["verdict"]) for one in await details_of(vehicle, "report_seal")] == [(3, "intact")]


async def test_newest_seals_are_recorded_if_many_arrive_together(
    vehicle: FollowedVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_records, "SEALS_MAX", 2)
    log = [SIGNED]
    for _ in range(3):
        log.append(seal_of(vehicle.gateway, *log))
    await vehicle.cloud.take(vehicle.gateway.send_changes(*log))
    await vehicle.room.following.turn()
    assert [one["changes"] for one in await details_of(vehicle, "report_seal")] == [2, 3]


@pytest.mark.contract("A-123")
async def test_seal_and_captures_of_a_joined_report_get_records_that_name_its_log(vehicle: FollowedVehicle) -> None:
    log = (ecg_of_crew(vehicle), PART_OF, SIGNED_BY_CREW)
    sealed = (*log, JOINED, seal_of(vehicle.gateway, *log))
    await vehicle.cloud.take(waveform(vehicle.gateway), vehicle.gateway.send_changes(*sealed))
    vehicle.pass_minutes(5)
    await vehicle.cloud.take(waveform(vehicle.gateway))
    await vehicle.room.following.turn()
    (seal,) = await details_of(vehicle, "report_seal")
    assert (seal["report_id"], seal["verdict"], seal["changes"], seal["signed_by"]) == (REPORT, "intact", 3, [ANNA])
    (capture,) = await details_of(vehicle, "ecg_capture")
    assert (capture["report_id"], capture["sequence"], capture["complete"]) == (REPORT, 1, True)
    assert (await vehicle.room.records(vehicle.encounter))[-1].content_members["report"]["report_id"] == REPORT
    ranges = [one for batches in await vehicle.references() for one in batches]
    assert [one["sign_offs"] for one in ranges if "sign_offs" in one] == [[1]]
    assert await vehicle.room.findings(TENANT) == []


async def test_join_that_arrives_after_the_seal_was_referenced_gives_the_report_its_records_once(
    vehicle: FollowedVehicle,
) -> None:
    await vehicle.end()
    log = [ecg_of_crew(vehicle), PART_OF, SIGNED_BY_CREW]
    log.append(seal_of(vehicle.gateway, *log))
    await vehicle.cloud.take(waveform(vehicle.gateway), vehicle.gateway.send_changes(*log))
    for _ in range(2):
        vehicle.pass_minutes(5)
        await vehicle.cloud.take(waveform(vehicle.gateway), vehicle.gateway.send_changes(change(encounter="enc_next")))
        await vehicle.room.following.turn()
    assert await details_of(vehicle, "report_seal") == []
    log.append(seal_of(vehicle.gateway, *log))
    for late in (JOINED, log[-1], change(encounter="enc_next")):
        vehicle.pass_minutes(60)
        await vehicle.cloud.take(vehicle.gateway.send_changes(late))
        await vehicle.room.following.turn()
    seals = await details_of(vehicle, "report_seal")
    assert [(one["sequence"], one["changes"], one["verdict"]) for one in seals] == [(1, 3, "intact"), (5, 4, "intact")]
    assert [one["sequence"] for one in await details_of(vehicle, "ecg_capture")] == [1]


async def test_report_that_only_one_log_joins_gets_no_record(vehicle: FollowedVehicle) -> None:
    log = (SIGNED_BY_CREW,)
    await vehicle.cloud.take(vehicle.gateway.send_changes(*log, seal_of(vehicle.gateway, *log), JOINED))
    await vehicle.room.following.turn()
    assert await details_of(vehicle, "report_seal") == []
