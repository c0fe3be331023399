"""Missions through the real parts: the cloud's database and ingest, mosquitto, the gateway's uplink and store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloud.access.tenancy import Tenancy
from cloud.clinical.epcr import Encounters
from cloud.clinical.epcr.care_log import CareLog
from cloud.clinical.epcr.model import MissionChange
from cloud.foundation.db import Database
from gateway.epcr.handover.handovers import EncounterUnknown
from gateway.epcr.missions import Vehicle
from protocols.epcr.encounter import EncounterStatus
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order
from protocols.epcr.handover.page import handover_page
from protocols.epcr.record import current_record
from protocols.uplink.lanes import Lane
from protocols.uplink.missions import MissionStatus
from tests.builders.care_changes import ANNA, change
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, CloudUnderTest
from tests.builders.uplink_gateway import gateway_store
from tests.harness.broker import GATEWAY, broker_running
from tests.harness.eventually import eventually
from tests.harness.mission_world import STREET, MissionWorld

pytestmark = pytest.mark.broker
SECOND_GATEWAY, SECOND_VEHICLE = "gw_second", "veh_second"


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[MissionWorld]:
    async with broker_running(tmp_path / "broker") as broker, gateway_store(tmp_path / "gateway") as gateway:
        cloud = await CloudUnderTest(database).register()
        await cloud.register_key(GATEWAY, gateway.identity.public_key)
        yield MissionWorld(cloud, broker, gateway)


async def test_call_reaches_the_vehicle_changes_and_ends(world: MissionWorld):
    async with world.ingesting(), world.coverage():
        encounter = await world.dispatch()
        await eventually(lambda: world.state(encounter) == (1, MissionStatus.IN_PROGRESS), what="the vehicle has it")
        draft = world.drafts.find(encounter)
        assert draft is not None
        assert STREET in [each.value for each in draft.changes]
        await world.encounters.change(OPERATOR, encounter, MissionChange(status=EncounterStatus.CANCELLED))
        await eventually(lambda: world.state(encounter) == (2, MissionStatus.CANCELLED), what="it is cancelled")

        async def is_removed() -> bool:
            return await world.missions_left() == []

        await eventually(is_removed, what="the cloud keeps no address of an ended mission")


async def test_vehicle_without_coverage_gets_the_call_when_it_is_online_again(world: MissionWorld):
    async with world.ingesting():
        encounter = await world.dispatch()
        await world.encounters.change(OPERATOR, encounter, MissionChange(call={"scene.street": "Ring 3"}))
        async with world.coverage():
            await eventually(lambda: world.state(encounter) == (2, MissionStatus.IN_PROGRESS), what="it has the call")
            draft = world.drafts.find(encounter)
            assert draft is not None
            assert [each.value for each in draft.changes if each.key == "scene.street"] == ["Ring 3"]

            async def is_received() -> bool:
                return await world.missions_left() == [2]

            await eventually(is_received, what="the cloud knows that the vehicle has it")


async def test_calls_of_two_vehicles_reach_each_its_own_and_are_handed_over_apart(database: Database, tmp_path: Path):
    async with (
        broker_running(tmp_path / "broker", gateways=(GATEWAY, SECOND_GATEWAY)) as broker,
        gateway_store(tmp_path / "one") as one,
        gateway_store(tmp_path / "two", gateway=SECOND_GATEWAY) as two,
    ):
        cloud = await CloudUnderTest(database).register()
        await Tenancy(database, cloud.clock, cloud.ids).add_vehicle(
            OPERATOR, ORGANIZATION, "Synthetic 2", id=SECOND_VEHICLE
        )
        await cloud.register_key(GATEWAY, one.identity.public_key)
        await cloud.register_key(SECOND_GATEWAY, two.identity.public_key, vehicle=SECOND_VEHICLE)
        first = MissionWorld(cloud, broker, one)
        second = MissionWorld(cloud, broker, two, Vehicle(TENANT, SECOND_GATEWAY, SECOND_VEHICLE))
        second.epcr = first.epcr  # one cloud, whose ingest runs
        async with first.ingesting(), first.coverage(), second.coverage():
            calls = {first: await first.dispatch("cad_1"), second: await second.dispatch("cad_2")}
            for world, encounter in calls.items():
                await eventually(lambda w=world, e=encounter: w.state(e) is not None, what="the vehicle has its call")
                name = change("patient.last_name", f"of {encounter}", encounter=encounter)
                await world.drafts.append_changes([name])
                await eventually(lambda w=world: w.gateway.all_acked(Lane.EPCR), what="the cloud has the log")
        for world, encounter in calls.items():
            assert [draft.encounter for draft in world.drafts.all()] == [encounter]
            assert [span.encounter for span in await world.gateway.buffer.care_records()] == [encounter]
            handover = await world.handovers().make(encounter, Language.ENGLISH, Order.IMIST_AMBO)
            page = handover_page(handover.shown)
            assert [f"of {each}" in page for each in calls.values()] == [each == encounter for each in calls.values()]
            other = next(each for each in calls.values() if each != encounter)
            with pytest.raises(EncounterUnknown):
                await world.handovers().make(other, Language.ENGLISH, Order.IMIST_AMBO)


async def test_encounter_of_the_dispatch_system_shows_the_report_that_the_crew_opened_before(world: MissionWorld):
    report = "enc_crew"
    await world.drafts.open(report, author=ANNA, change_ids=(f"open-{number}" for number in range(8)))
    await world.drafts.append_changes([change("patient.age", "50", encounter=report)])
    async with world.ingesting(), world.coverage():
        encounter = await world.dispatch()
        await eventually(lambda: world.state(encounter) is not None, what="the vehicle has the call")
        await world.missions.join(encounter, report, author=ANNA)
        await world.drafts.append_changes([change("situation.complaint", "chest pain", encounter=report)])
        await eventually(lambda: world.gateway.all_acked(Lane.EPCR), what="the cloud has the logs")
    async with world.cloud.database.read() as tx:
        found = await Encounters().find(tx, OPERATOR, encounter)
        assert found is not None
        log = await CareLog().of_encounter(tx, found)
    shown = {each.name.key: each.shown[-1].value for each in current_record(log).fields}
    assert (shown["patient.age"], shown["situation.complaint"]) == ("50", "chest pain")
    assert shown["scene.street"] == STREET
    assert {each.encounter for each in log} == {encounter, report}
