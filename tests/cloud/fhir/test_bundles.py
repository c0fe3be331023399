"""The bundle of an encounter has the observations that are assigned to it, in parts that can be read from any place."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloud.clinical.assignments import AssignmentService
from cloud.clinical.devices import Devices
from cloud.clinical.epcr import EncounterUnknown, Epcr, MissionChange, Missions, VisibleRecords
from cloud.clinical.fhir import Bundles, service
from cloud.clinical.fhir.encounter_observations import Position
from cloud.clinical.observations import ObservationReader
from cloud.foundation.db import Database
from cloud.foundation.master_key import MasterKey
from cloud.foundation.objects import LocalObjects
from cloud.foundation.viewer import Actor, Viewer
from protocols.device_description import DeviceDescription
from protocols.epcr.annotations import Annotation
from protocols.epcr.element import Audience
from protocols.epcr.encounter import EncounterStatus
from protocols.epcr.seal import GATEWAY_AUTHOR, chain_end, seal_value
from protocols.fhir.systems import BITS
from protocols.observation_record import raw_samples, utc_text
from tests.builders.care_changes import change
from tests.builders.encounter_reading import HOUR_US, assigned
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, GatewayInVehicle, readings, section
from tests.builders.ingest_kinds import CUFF, every_kind
from tests.builders.minute_rows import compact, seconds
from tests.builders.received_batches import RECEIVED
from tests.builders.waveforms import many_waves

SECOND_US = 1_000_000


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, tmp_path: Path) -> CloudUnderTest:
    return await CloudUnderTest(database, objects=LocalObjects(tmp_path / "objects")).register(gateway)


def bundles(cloud: CloudUnderTest) -> Bundles:
    records = VisibleRecords(lambda: MasterKey(bytes(32)))
    return Bundles(cloud.database, Devices(cloud.ids), RECEIVED, records, cloud.objects)


async def parts(cloud: CloudUnderTest, encounter_id: str, viewer: Viewer = OPERATOR) -> list[dict[str, Any]]:
    """Read the bundle part by part, each as a request of its own."""
    found: list[dict[str, Any]] = []
    after: Position | None = None
    while True:
        part = await bundles(cloud).part(viewer, encounter_id, after)
        found.append(json.loads(part.encode(None)))
        after = part.position
        if after is None:
            return found


def resources(bundle: Sequence[dict[str, Any]], kind: str = "Observation") -> list[dict[str, Any]]:
    found = [entry["resource"] for part in bundle for entry in part["entry"]]
    return [one for one in found if one["resourceType"] == kind]


def measured(bundle: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the observations of devices, without coincident time stamps and the care record."""
    return [one for one in resources(bundle) if '"phd"' in json.dumps(one.get("category", ""))]


async def exported(cloud: CloudUnderTest, encounter_id: str) -> list[Any]:
    reader = ObservationReader(
        cloud.database, OPERATOR, Devices(cloud.ids), RECEIVED, objects=cloud.objects, hidden=True
    )
    found = [one.record async for one in reader.read()]
    return [record for record in found if record.encounter_id == encounter_id]


async def test_bundle_has_each_observation_of_every_kind_once(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send_sections(every_kind()))
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    found = measured(await parts(cloud, encounter_id))
    records = await exported(cloud, encounter_id)
    assert len(found) == len({one["identifier"][0]["value"] for one in found}) == len(records) > 10
    assert sorted(one["effectiveDateTime"] for one in found) == sorted(utc_text(one.observed_at_us) for one in records)


async def test_values_of_the_bundle_are_those_of_the_export(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(*seconds(gateway, 90))
    await compact(cloud)
    await cloud.take(*seconds(gateway, 31, first=90))
    encounter_id = await assigned(cloud)
    found = measured(await parts(cloud, encounter_id))
    shown = [(one["effectiveDateTime"], one["valueQuantity"]["value"]) for one in found if "valueQuantity" in one]
    records = [record for record in await exported(cloud, encounter_id) if isinstance(record.value, float)]
    assert sorted(shown) == sorted((utc_text(one.observed_at_us), one.value) for one in records)
    assert len(shown) > 100


async def test_waveforms_are_sampled_data_sample_by_sample_behind_the_numerics(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(*many_waves(gateway, 5), gateway.send(97.0, 98.0))
    encounter_id = await assigned(cloud)
    found = measured(await parts(cloud, encounter_id))
    assert ["valueSampledData" in one for one in found] == [False] * 2 + [True] * 5
    records = [record for record in await exported(cloud, encounter_id) if record.samples is not None]
    assert [one["valueSampledData"]["data"] for one in found[2:]] == [
        " ".join(map(str, raw_samples(record))) for record in records
    ]
    assert found[2]["valueSampledData"]["factor"] == 0.5
    assert found[2]["valueSampledData"]["origin"]["value"] == -10


@pytest.mark.parametrize("entries_max", [9, 40])
async def test_parts_that_are_read_one_by_one_have_every_observation_once(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch, entries_max: int
):
    await cloud.take(
        gateway.send_sections([section(readings(*(90.0,) * 20, at_s=2.0)), section(readings(1.0, 2.0), device=CUFF)]),
        gateway.send_sections([section(readings(*(91.0,) * 20, at_s=2.0))]),
        *many_waves(gateway, 6),
    )
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    (whole,) = await parts(cloud, encounter_id)
    monkeypatch.setattr(service, "ENTRIES_MAX", entries_max)
    found = await parts(cloud, encounter_id)
    assert len(found) > 1
    ids = [one["identifier"][0]["value"] for one in measured(found)]
    assert ids == [one["identifier"][0]["value"] for one in measured([whole])]
    assert len(ids) == 48


async def test_observations_outside_of_the_assignment_are_in_no_bundle(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_sections([section(readings(*map(float, range(10)), at_s=0.0))]))
    until_us = NOW_US + 7 * SECOND_US
    encounter_id = await assigned(cloud, from_us=NOW_US + 3 * SECOND_US, until_us=until_us)
    found = measured(await parts(cloud, encounter_id))
    assert [one["valueQuantity"]["value"] for one in found] == [3, 4, 5, 6]


async def test_moved_assignment_moves_the_observations_to_the_bundle_of_the_other_encounter(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(97.0, 98.0))
    wrong = await assigned(cloud)
    right = await Epcr(cloud.database, cloud.clock, cloud.ids).begin(OPERATOR, organization_id=ORGANIZATION)
    before = measured(await parts(cloud, wrong))
    desk = AssignmentService(cloud.database, cloud.clock, cloud.ids)
    (assignment,) = await desk.list(OPERATOR, encounter_id=wrong)
    await desk.move(OPERATOR, assignment.id, encounter_id=right.id)
    assert measured(await parts(cloud, wrong)) == []
    after = measured(await parts(cloud, right.id))
    assert [one["identifier"] for one in after] == [one["identifier"] for one in before]


async def test_care_record_is_in_the_first_part(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send(97.0))
    encounter_id = await assigned(cloud)
    changes = [
        change("medications.drug", "703", entry="m1", encounter=encounter_id),
        change("procedures.procedure", "268400002", entry="p1", encounter=encounter_id),
        change("patient.last_name", "Canary", encounter=encounter_id),
    ]
    await cloud.take(gateway.send_changes(*changes))
    found = await parts(cloud, encounter_id)
    assert len(resources(found, "MedicationAdministration")) == len(resources(found, "Procedure")) == 1
    assert "Canary" not in json.dumps(found)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_report_is_final_when_it_is_sealed_and_not_when_its_encounter_ends(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(97.0))
    encounter_id = await assigned(cloud)
    log = [change("patient.age", value, encounter=encounter_id) for value in ("50", "51")]
    value = seal_value(encounter_id, 2, chain_end(encounter_id, log), gateway.key.sign)
    seal = change(Annotation.SEAL, value, encounter=encounter_id, author=GATEWAY_AUTHOR)
    first, second, last = (gateway.send_changes(one) for one in (*log, seal))
    statuses = []
    for batch in (first, last, second):
        await cloud.take(batch)
        if batch is first:
            ended = MissionChange(status=EncounterStatus.COMPLETED)
            await Missions(cloud.database, cloud.clock, cloud.ids).change(OPERATOR, encounter_id, ended)
        (composition,) = resources(await parts(cloud, encounter_id), "Composition")
        statuses.append(composition["status"])
    assert statuses == ["preliminary", "preliminary", "final"], "one change that was sealed arrived last"


async def test_bundle_for_treatment_has_the_identity_of_the_same_patient(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(97.0))
    encounter_id = await assigned(cloud)
    await cloud.take(gateway.send_changes(change("patient.last_name", "Canary", encounter=encounter_id)))
    part = await bundles(cloud).part(OPERATOR, encounter_id, audience=Audience.TREATMENT)
    found = [json.loads(part.encode(None))]
    (patient,) = resources(found, "Patient")
    assert patient["name"] == [{"family": "Canary"}]
    assert "PSEUDED" not in json.dumps(found)
    (other,) = resources(await parts(cloud, encounter_id), "Patient")
    assert other["identifier"] == patient["identifier"]


async def test_device_of_the_bundle_has_the_facts_of_the_enrolment(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(
        gateway.send_sections(
            [section(readings(97.0)), section(readings(96.0), device=replace(OXIMETER, unverified_link=True))]
        )
    )
    encounter_id = await assigned(cloud)
    devices = resources(await parts(cloud, encounter_id), "Device")
    medical = [one for one in devices if one["type"]["coding"][0]["code"] == "65573"]
    assert [one["modelNumber"] for one in medical] == [OXIMETER.model] * 2
    assert sorted("note" in one for one in medical) == [False, True]
    assert len({one["identifier"][0]["value"] for one in medical}) == 2


async def test_claim_over_an_unverified_link_leaves_the_description_of_the_verified_device_in_the_bundle(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    gateway.now_us = NOW_US - 48 * HOUR_US
    await cloud.take(gateway.send_description(DeviceDescription(model="Pulse 1", firmware_revision="1.0")))
    gateway.now_us = NOW_US - 36 * HOUR_US
    claimed = DeviceDescription(model="Pulse 1", firmware_revision="9.9")
    await cloud.take(gateway.send_description(claimed, unverified=True))
    gateway.now_us = NOW_US
    await cloud.take(gateway.send_sections([section(readings(97.0))]))
    encounter_id = await assigned(cloud, from_us=NOW_US - 24 * HOUR_US)
    devices = resources(await parts(cloud, encounter_id), "Device")
    (medical,) = [one for one in devices if one["type"]["coding"][0]["code"] == "65573"]
    assert [one["value"] for one in medical["version"]] == ["1.0"]


async def test_device_of_the_bundle_has_the_firmware_that_it_reported_when_the_encounter_began(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    for hours, firmware in ((48, "1.0"), (1, "1.1")):
        gateway.now_us = NOW_US - hours * HOUR_US
        await cloud.take(gateway.send_description(DeviceDescription(model="Pulse 1", firmware_revision=firmware)))
    gateway.now_us = NOW_US
    await cloud.take(gateway.send_sections([section(readings(97.0))]))
    encounter_id = await assigned(cloud, from_us=NOW_US - 24 * HOUR_US)
    devices = resources(await parts(cloud, encounter_id), "Device")
    (medical,) = [one for one in devices if one["type"]["coding"][0]["code"] == "65573"]
    assert [one["value"] for one in medical["version"]] == ["1.0"]


@pytest.mark.contract("C-102", "C-108")
async def test_bundle_is_not_found_in_another_tenant_or_organisation(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send(97.0))
    encounter_id = await assigned(cloud)
    for viewer in (Actor.operator("ten_other"), replace(OPERATOR, organization_id="org_other")):
        with pytest.raises(EncounterUnknown):
            await bundles(cloud).part(viewer, encounter_id)


@pytest.mark.contract("C-107")
async def test_bytes_of_an_unchanged_encounter_do_not_change(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send_sections(every_kind()))
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    first = (await bundles(cloud).part(OPERATOR, encounter_id)).encode(None)
    assert (await bundles(cloud).part(OPERATOR, encounter_id)).encode(None) == first
    await compact(cloud)
    assert (await bundles(cloud).part(OPERATOR, encounter_id)).encode(None) == first


async def test_event_loop_has_a_turn_between_slices_of_a_part(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    await cloud.take(gateway.send(*(97.0,) * 25))
    encounter_id = await assigned(cloud)
    turns: list[float] = []

    async def turn(delay_s: float) -> None:
        turns.append(delay_s)

    monkeypatch.setattr(service, "SLICE_OBSERVATIONS", 10)
    monkeypatch.setattr(service.asyncio, "sleep", turn)
    await bundles(cloud).part(OPERATOR, encounter_id)
    assert turns == [0, 0]


async def test_bits_of_a_device_are_components(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send_sections(every_kind()))
    encounter_id = await assigned(cloud)
    found = [one for one in measured(await parts(cloud, encounter_id)) if BITS in json.dumps(one.get("component", ""))]
    assert [each["valueBoolean"] for one in found for each in one["component"]] == [True, True]
