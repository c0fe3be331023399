"""Missions through the real parts: a cloud whose ingest runs, mosquitto, and a gateway's uplink and drafts."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC

from cloud.clinical.epcr.mission import Missions as EncounterMissions
from cloud.clinical.epcr.model import CareModel, Dispatch
from cloud.clinical.epcr.service import Epcr
from cloud.foundation.clock import SystemClock
from cloud.foundation.master_key import MasterKey
from cloud.vehicles.ingest import BrokerAddress, make_ingest
from cloud.vehicles.missions import MissionBell, MissionKeys, MissionRows
from gateway.epcr.handover.handovers import Handovers
from gateway.epcr.handover.source import BufferSource
from gateway.epcr.missions import Missions, Vehicle
from gateway.transports.clock import SystemClock as VehicleClock
from protocols.clock_anchor import NO_ANCHORS
from protocols.epcr.mission import stored_mission
from protocols.uplink.missions import MissionStatus
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, VEHICLE, CloudUnderTest
from tests.builders.report_drafts import drafts_of
from tests.builders.uplink_gateway import TestGateway, sending
from tests.harness.broker import CLOUD_USER, GATEWAY, Broker, password_of
from tests.harness.eventually import eventually

STREET = "Marktgasse 12"
MASTER = MasterKey(bytes(range(32)))


@dataclass(eq=False)
class MissionWorld:
    """A cloud whose ingest runs, a broker, and a gateway with its drafts."""

    cloud: CloudUnderTest
    broker: Broker
    gateway: TestGateway
    vehicle: Vehicle = field(default_factory=lambda: Vehicle(TENANT, GATEWAY, VEHICLE))

    def __post_init__(self) -> None:
        clock = SystemClock()
        common = self.cloud.database, clock, self.cloud.ids
        self.bell = MissionBell()
        self.epcr = Epcr(*common, outbox=MissionRows(clock, self.bell))
        self.encounters = EncounterMissions(*common, outbox=MissionRows(clock, self.bell))
        self.drafts = drafts_of(self.gateway.buffer, VehicleClock())
        key = base64.b64decode(MissionKeys(lambda: MASTER).public_key(TENANT))
        self.missions = Missions(
            self.drafts,
            VehicleClock(),
            self.vehicle,
            keys=[key],
            is_synchronised=lambda: True,
        )

    @asynccontextmanager
    async def ingesting(self) -> AsyncIterator[None]:
        address = BrokerAddress(url=self.broker.url, username=CLOUD_USER, password=password_of(CLOUD_USER))
        running = make_ingest(
            self.cloud.database,
            address,
            SystemClock(),
            self.cloud.ids,
            spans=self.cloud.spans,
            master=lambda: MASTER,
            bell=self.bell,
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
            ORGANIZATION,
            CareModel.PREHOSPITAL_EMERGENCY,
            self.vehicle.vehicle,
            (),
            incident,
            {"scene.street": STREET},
        )
        return (await self.epcr.dispatch(OPERATOR, wanted)).encounter.id

    def handovers(self) -> Handovers:
        """Return the hand-overs of the vehicle's store."""
        source, clock = BufferSource(self.gateway.buffer, lambda: NO_ANCHORS), VehicleClock()
        return Handovers(source, tenant=TENANT, key=bytes(32), now_us=clock.wall_us, zone=UTC)

    def state(self, encounter: str) -> tuple[int, MissionStatus] | None:
        """Return version and status of the mission that the vehicle has."""
        draft = self.drafts.find(encounter)
        found = None if draft is None else stored_mission(draft.record)
        return None if found is None else (found.version, found.status)

    async def missions_left(self) -> list[int | None]:
        """Return the received version of each mission that the cloud still has."""
        async with self.cloud.database.read() as tx:
            return [one.received_version for one in await MissionRows(SystemClock()).list(tx, OPERATOR)]
