"""Missions through the real parts: the cloud's database and ingest, mosquitto, the gateway's uplink and store."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.clinical.epcr import Encounters
from cloud.clinical.epcr.care_log import CareLog
from cloud.clinical.epcr.mission import Missions as EncounterMissions
from cloud.clinical.epcr.model import CareModel, Dispatch, MissionChange
from cloud.clinical.epcr.service import Epcr
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database
from cloud.foundation.master_key import MasterKey
from cloud.vehicles.ingest import BrokerAddress, make_ingest
from cloud.vehicles.missions import MissionKeys, MissionRows
from gateway.epcr.missions import Missions, Vehicle
from gateway.transports.clock import SystemClock as VehicleClock
from protocols.epcr.encounter import EncounterStatus
from protocols.epcr.mission import stored_mission
from protocols.epcr.record import current_record
from protocols.uplink.lanes import Lane
from protocols.uplink.missions import MissionStatus
from tests.builders.care_changes import ANNA, change
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, VEHICLE, CloudUnderTest
from tests.builders.report_drafts import drafts_of
from tests.builders.uplink_gateway import TestGateway, gateway_store, sending
from tests.harness.broker import CLOUD_USER, GATEWAY, Broker, broker_running, password_of
from tests.harness.eventually import eventually

pytestmark = pytest.mark.broker
STREET = "Marktgasse 12"
MASTER = MasterKey(bytes(range(32)))


@dataclass
class World:
    """A cloud whose ingest runs, a broker, and a gateway with its drafts."""

    cloud: CloudUnderTest
    broker: Broker
    gateway: TestGateway

    def __post_init__(self) -> None:
        clock = SystemClock()
        common = self.cloud.database, clock, self.cloud.ids
        self.epcr = Epcr(*common, outbox=MissionRows(clock))
        self.encounters = EncounterMissions(*common, outbox=MissionRows(clock))
        self.drafts = drafts_of(self.gateway.buffer, VehicleClock())
        key = base64.b64decode(MissionKeys(lambda: MASTER).public_key(TENANT))
        self.missions = Missions(
            self.drafts,
            VehicleClock(),
            Vehicle(TENANT, GATEWAY, VEHICLE),
            keys=[key],
            is_synchronised=lambda: True,
        )

    @asynccontextmanager
    async def ingesting(self) -> AsyncIterator[None]:
        address = BrokerAddress(url=self.broker.url, username=CLOUD_USER, password=password_of(CLOUD_USER))
        running = make_ingest(
            self.cloud.database, address, SystemClock(), self.cloud.ids, spans=self.cloud.spans, master=lambda: MASTER
        )
        task = asyncio.ensure_future(running.run())
        try:
            await eventually(lambda: running.unready() is None, what="ingest is connected")
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    @asynccontextmanager
    async def coverage(self) -> AsyncIterator[None]:
        """Connect the gateway to the broker inside the block."""
        async with sending(self.gateway.uplink(self.broker, commands=self.missions)) as uplink:
            await eventually(lambda: uplink.state.connected, what="the gateway is connected")
            yield

    async def dispatch(self, incident: str = "cad_1") -> str:
        wanted = Dispatch(
            ORGANIZATION, CareModel.PREHOSPITAL_EMERGENCY, VEHICLE, (), incident, {"scene.street": STREET}
        )
        return (await self.epcr.dispatch(OPERATOR, wanted)).encounter.id

    def state(self, encounter: str) -> tuple[int, MissionStatus] | None:
        """Return version and status of the mission that the vehicle has."""
        draft = self.drafts.find(encounter)
        found = None if draft is None else stored_mission(draft.record)
        return None if found is None else (found.version, found.status)

    async def missions_left(self) -> list[int | None]:
        """Return the received version of each mission that the cloud still has."""
        async with self.cloud.database.read() as tx:
            return [one.received_version for one in await MissionRows(SystemClock()).list(tx, OPERATOR)]


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with broker_running(tmp_path / "broker") as broker, gateway_store(tmp_path / "gateway") as gateway:
        cloud = await CloudUnderTest(database).register()
        await cloud.register_key(GATEWAY, gateway.identity.public_key)
        yield World(cloud, broker, gateway)


async def test_call_reaches_the_vehicle_changes_and_ends(world: World):
    async with world.ingesting(), world.coverage():
        encounter = await world.dispatch()
        await eventually(
            lambda: world.state(encounter) == (1, MissionStatus.IN_PROGRESS), within_s=3.0, what="the vehicle has it"
        )
        draft = world.drafts.find(encounter)
        assert draft is not None
        assert STREET in [each.value for each in draft.changes]
        await world.encounters.change(OPERATOR, encounter, MissionChange(status=EncounterStatus.CANCELLED))
        await eventually(
            lambda: world.state(encounter) == (2, MissionStatus.CANCELLED), within_s=3.0, what="it is cancelled"
        )

        async def is_removed() -> bool:
            return await world.missions_left() == []

        await eventually(is_removed, what="the cloud keeps no address of an ended mission")


async def test_vehicle_without_coverage_gets_the_call_when_it_is_online_again(world: World):
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


async def test_encounter_of_the_dispatch_system_shows_the_report_that_the_crew_opened_before(world: World):
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
