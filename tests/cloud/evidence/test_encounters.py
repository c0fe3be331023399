"""Operations on an encounter are recorded in its evidence, in the transaction of the operation."""

import asyncio
import json
from dataclasses import replace

import pytest

from cloud.clinical.assignments import AssignmentService
from cloud.clinical.epcr import (
    CareModel,
    Dispatch,
    Encounter,
    Encounters,
    Epcr,
    MissionChange,
    Missions,
    evidence_id_of,
    evidence_id_of_encounter,
)
from cloud.clinical.epcr.records import CareRecords
from cloud.foundation.db import Database
from cloud.foundation.viewer import Actor, SecrecyLevel, Viewer
from cloud.vehicles.erasure.model import ErasureReason
from cloud.vehicles.erasure.service import Erasures
from cloud.work.evidence.existing import existing_step
from cloud.work.evidence.store import EvidenceStore
from protocols.epcr.encounter import EncounterStatus
from tests.builders.erasure_world import SEALS
from tests.builders.evidence import EvidenceRoom
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, VEHICLE, CloudUnderTest
from tests.builders.ingest_gateway import OXIMETER, GatewayInVehicle


class World:
    """A cloud with a vehicle, and the operations on its encounters."""

    def __init__(self, cloud: CloudUnderTest) -> None:
        self.cloud = cloud
        self.database = cloud.database
        self.room = EvidenceRoom(cloud.database, cloud.clock, cloud.ids)
        common = (cloud.database, cloud.clock, cloud.ids)
        self.epcr = Epcr(*common, evidence=self.room.of_encounters)
        self.missions = Missions(*common, self.room.of_encounters)
        self.desk = AssignmentService(*common, self.room.of_encounters)
        self.erasures = Erasures(*common, self.room.of_encounters)

    async def begin(self, id: str = "enc_1") -> Encounter:
        return await self.epcr.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE, id=id)

    async def operations(self, encounter: Encounter) -> list[str]:
        return [str(one.core_members["operation"]) for one in await self.room.records(encounter)]


@pytest.fixture
async def world(database: Database) -> World:
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(gateway)
    await cloud.take(gateway.send())
    return World(cloud)


def test_evidence_id_depends_on_tenant_kind_and_subject_alone() -> None:
    assert evidence_id_of("tnt_1", "encounter", "enc_1") == evidence_id_of("tnt_1", "encounter", "enc_1")
    others = [("tnt_2", "encounter", "enc_1"), ("tnt_1", "export", "enc_1"), ("tnt_1", "encounter", "enc_2")]
    ids = {evidence_id_of("tnt_1", "encounter", "enc_1"), *(evidence_id_of(*names) for names in others)}
    assert len(ids) == 4
    assert all(len(id) == 30 and id.startswith("evd_") for id in ids)


@pytest.mark.contract("C-212", "A-123", "A-130")
async def test_mission_of_an_encounter_is_recorded_from_its_begin_to_its_end(world: World) -> None:
    encounter = await world.begin()
    change = MissionChange(care_model=CareModel.INTERFACILITY_TRANSFER)
    await world.missions.change(OPERATOR, encounter.id, change)
    await world.missions.change(OPERATOR, encounter.id, change)  # without effect
    await world.missions.change(OPERATOR, encounter.id, MissionChange(status=EncounterStatus.COMPLETED))
    records = await world.room.records(encounter)
    assert await world.operations(encounter) == ["evidence.create", "evidence.update", "evidence.update"]
    assert [one.core_members.get("details") for one in records] == [
        None,
        {"changed": ["care_model"]},
        {"changed": ["status"]},
    ]
    assert json.loads(str(records[-1].content))["status"] == "completed"
    assert {one.core_members["actor_id"] for one in records} == {"operator"}
    assert await world.room.findings(TENANT) == []


@pytest.mark.contract("A-102", "A-123")
async def test_repeated_dispatch_adds_no_record(world: World) -> None:
    dispatch = Dispatch(ORGANIZATION, CareModel.PREHOSPITAL_EMERGENCY, VEHICLE, cad_incident_id="cad_1")
    begun = await world.epcr.dispatch(OPERATOR, dispatch)
    await world.epcr.dispatch(OPERATOR, dispatch)
    assert await world.operations(begun.encounter) == ["evidence.create"]


@pytest.mark.contract("C-212", "A-123")
async def test_moved_observations_are_recorded_in_the_evidence_of_both_encounters(world: World) -> None:
    first, second = await world.begin("enc_1"), await world.begin("enc_2")
    device_id = (await world.cloud.device_ids())[OXIMETER.system_id]
    assigned = await world.desk.assign(OPERATOR, device_id=device_id, encounter_id=first.id, from_us=1)
    moved = await world.desk.move(OPERATOR, assigned.id, encounter_id=second.id)
    for encounter in (first, second):
        record = (await world.room.records(encounter))[-1].core_members
        assert record["operation"] == "evidence.transfer"
        assert record["details"] == {
            "assignment_id": moved.id,
            "device_id": device_id,
            "from": "1970-01-01T00:00:00.000001Z",
            "until": None,
            "from_encounter_id": "enc_1",
            "to_encounter_id": "enc_2",
        }


async def test_move_beside_the_end_of_an_encounter_leaves_its_newest_version_in_the_evidence(world: World) -> None:
    first, second = await world.begin("enc_1"), await world.begin("enc_2")
    device_id = (await world.cloud.device_ids())[OXIMETER.system_id]
    assigned = await world.desk.assign(OPERATOR, device_id=device_id, encounter_id=first.id, from_us=1)
    await asyncio.gather(
        world.desk.move(OPERATOR, assigned.id, encounter_id=second.id),
        world.missions.change(OPERATOR, first.id, MissionChange(status=EncounterStatus.COMPLETED)),
        world.missions.change(OPERATOR, second.id, MissionChange(status=EncounterStatus.COMPLETED)),
    )
    for encounter in (first, second):
        assert (await world.room.records(encounter))[-1].content_members["status"] == "completed"


@pytest.mark.contract("C-212", "A-123")
async def test_assigned_device_is_recorded_when_its_assignment_begins_and_ends(world: World) -> None:
    encounter = await world.begin()
    device_id = (await world.cloud.device_ids())[OXIMETER.system_id]
    assigned = await world.desk.assign(OPERATOR, device_id=device_id, encounter_id=encounter.id, from_us=1)
    await world.desk.close(OPERATOR, assigned.id, at_us=2)
    _, *records = [one.core_members for one in await world.room.records(encounter)]
    named = {"changed": ["assignments"], "assignment_id": assigned.id, "device_id": device_id}
    assert [(one["operation"], one["actor_id"], one["details"]) for one in records] == [
        ("evidence.update", "operator", {**named, "from": "1970-01-01T00:00:00.000001Z", "until": until})
        for until in (None, "1970-01-01T00:00:00.000002Z")
    ]


@pytest.mark.contract("C-212", "A-123")
async def test_end_of_an_assignment_is_recorded_by_an_actor_who_may_not_see_the_encounter(world: World) -> None:
    encounter = await world.begin()
    device_id = (await world.cloud.device_ids())[OXIMETER.system_id]
    assigned = await world.desk.assign(OPERATOR, device_id=device_id, encounter_id=encounter.id, from_us=1)
    async with world.database.transaction() as tx:
        await Encounters().replace(tx, replace(encounter, secrecy_level=SecrecyLevel.SECRET))
    await world.desk.close(Actor(TENANT, ORGANIZATION, subject="usr_1"), assigned.id, at_us=2)
    last = (await world.room.records(encounter))[-1].core_members
    assert (last["operation"], last["actor_id"]) == ("evidence.update", "usr_1")
    assert last["details"] == {
        "changed": ["assignments"],
        "assignment_id": assigned.id,
        "device_id": device_id,
        "from": "1970-01-01T00:00:00.000001Z",
        "until": "1970-01-01T00:00:00.000002Z",
    }


@pytest.mark.contract("C-212", "A-123", "A-130")
async def test_erased_encounter_leaves_its_chain_with_a_tombstone(world: World) -> None:
    encounter = await world.begin()
    await world.missions.change(OPERATOR, encounter.id, MissionChange(status=EncounterStatus.COMPLETED))
    erasure = await world.erasures.request(OPERATOR, encounter.id, ErasureReason.PATIENT_REQUEST, SEALS)
    records = await world.room.records(encounter)
    assert records[-1].core_members["operation"] == "evidence.delete"
    assert records[-1].core_members["details"] == {"erasure_id": erasure.erasure_id, "reason": erasure.reason.value}
    assert json.loads(str(records[-1].content))["erased"] is True
    assert await world.room.following.turn() == 0
    assert await world.room.findings(TENANT) == []


@pytest.mark.contract("C-212", "A-123")
async def test_only_a_reading_above_standard_is_recorded(world: World) -> None:
    encounter = await world.begin()
    reading = CareRecords(world.database, world.cloud.clock, evidence=world.room.of_encounters)
    await reading.read(OPERATOR, encounter.id)
    assert await world.operations(encounter) == ["evidence.create"]
    async with world.database.transaction() as tx:
        secret = await Encounters().find(tx, OPERATOR, encounter.id, lock=True)
        assert secret is not None
        await Encounters().replace(tx, replace(secret, secrecy_level=SecrecyLevel.SECRET))
    await reading.read(OPERATOR, encounter.id)
    assert await world.operations(encounter) == ["evidence.create", "evidence.read"]


@pytest.mark.contract("C-225", "A-121", "A-122")
async def test_raised_level_of_an_encounter_limits_who_finds_its_evidence(world: World) -> None:
    encounter = await world.begin()
    store, id = EvidenceStore(), evidence_id_of_encounter(encounter)

    async def found(clearance: SecrecyLevel) -> list[bool]:
        viewer = Viewer(TENANT, ORGANIZATION, clearance)
        async with world.database.read() as tx:
            return [await store.find(tx, viewer, id) is not None, bool(await store.list(tx, viewer, count=9))]

    assert await found(SecrecyLevel.STANDARD) == [True, True]
    async with world.database.transaction() as tx:
        await Encounters().replace(tx, replace(encounter, secrecy_level=SecrecyLevel.SECRET))
    assert await found(SecrecyLevel.CONFIDENTIAL) == [False, False]
    assert await found(SecrecyLevel.SECRET) == [True, True]
    assert await world.room.findings(TENANT) == []


async def test_evidence_of_an_encounter_of_an_earlier_release_begins_with_its_creation(world: World) -> None:
    old = Epcr(world.database, world.cloud.clock, world.cloud.ids)
    encounter = await old.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE)
    await world.missions.change(OPERATOR, encounter.id, MissionChange(status=EncounterStatus.COMPLETED))
    assert await world.operations(encounter) == ["evidence.create", "evidence.update"]
    first = (await world.room.records(encounter))[0].core_members
    assert (first["actor_id"], first["actor_kind"]) == ("argus-cloud", "system")
    assert evidence_id_of_encounter(encounter) == (await world.room.records(encounter))[0].evidence_id


async def test_upgrade_begins_the_evidence_of_stored_encounters_once(world: World) -> None:
    old = Epcr(world.database, world.cloud.clock, world.cloud.ids)
    stored = [await old.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE) for _ in range(3)]
    known = await world.begin()
    step, position, ended = existing_step(world.room.of_encounters), "", False
    while not ended:
        async with world.database.transaction() as tx:
            chunk = await step.work(tx, position, 2)
        position, ended = chunk.position, chunk.ended
    for encounter in (*stored, known):
        assert await world.operations(encounter) == ["evidence.create"]
    assert await world.room.following.turn() == 4
