"""Missions over a real RabbitMQ: from the cloud's database to the two vehicles that they are for, each its own."""

import asyncio
import base64
from pathlib import Path

from cloud.access.tenancy import Tenancy
from cloud.clinical.epcr import Epcr
from cloud.clinical.epcr.model import CareModel, Dispatch
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import migrate, open_database
from cloud.foundation.master_key import MasterKey
from cloud.vehicles.fleet import Fleet
from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from cloud.vehicles.ingest import make_ingest
from cloud.vehicles.missions import MissionBell, MissionKeys, MissionRows
from gateway.sync.mqtt import BrokerAddress, MqttSession
from protocols.uplink import topics
from protocols.uplink.missions import decode_mission
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, VEHICLE, CloudUnderTest
from tests.cluster.conftest import QUEUES
from tests.harness.eventually import eventually
from tests.harness.rabbitmq_cluster import RabbitmqCluster

FIRST, SECOND = "gw_call_1", "gw_call_2"
SECOND_VEHICLE = "veh_call_2"
WAIT_S = 30.0
"""Time after which a missing message is a failure, on a loaded machine."""


async def connected(cluster: RabbitmqCluster, gateway: str) -> MqttSession:
    """Connect a vehicle to the first node, and subscribe to its commands."""
    address = BrokerAddress(
        host="127.0.0.1",
        port=cluster.nodes[0].layout.vehicles_port,
        username=None,
        password=None,
        tls=cluster.tls(cluster.credentials(gateway)),
    )
    session = await MqttSession.open(address, client_id=gateway)
    await session.subscribe(topics.command(TENANT, gateway))
    return session


async def test_calls_of_two_vehicles_reach_each_its_own(cluster: RabbitmqCluster, tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path / 'cloud.db'}", SystemClock()
    await migrate(url, create=True)
    database = await open_database(url)
    cloud = await CloudUnderTest(database).register()
    await Tenancy(database, clock, cloud.ids).add_vehicle(OPERATOR, ORGANIZATION, "Synthetic 2", id=SECOND_VEHICLE)
    fleet, management = Fleet(database, clock, cloud.ids), cluster.management()
    for number, (gateway, vehicle) in enumerate(((FIRST, VEHICLE), (SECOND, SECOND_VEHICLE)), start=1):
        key = base64.b64encode(bytes([number]) * 32).decode()
        await fleet.register(OPERATOR, organization_id=ORGANIZATION, vehicle_id=vehicle, public_key=key, id=gateway)
        await management.admit(AdmittedGateway(gateway, TENANT))
    await management.close()
    master, bell = MasterKey(bytes(32)), MissionBell()
    public_key = base64.b64decode(MissionKeys(lambda: master).public_key(TENANT))
    running = make_ingest(database, cluster.address(queues=QUEUES), clock, cloud.ids, master=lambda: master, bell=bell)
    ingesting = asyncio.ensure_future(running.run())
    try:
        await eventually(lambda: running.unready() is None, within_s=WAIT_S, what="ingest is connected")
        first, second = await connected(cluster, FIRST), await connected(cluster, SECOND)
        epcr = Epcr(database, clock, cloud.ids, outbox=MissionRows(clock, bell))
        for incident, vehicle, gateway, session in (
            ("cad_1", VEHICLE, FIRST, first),
            ("cad_2", SECOND_VEHICLE, SECOND, second),  # the first message that this vehicle gets
        ):
            wanted = Dispatch(ORGANIZATION, CareModel.PREHOSPITAL_EMERGENCY, vehicle, (), incident, {})
            encounter = (await epcr.dispatch(OPERATOR, wanted)).encounter.id
            async with asyncio.timeout(WAIT_S):
                message = await session.receive()
            mission = decode_mission(message.payload, tenant=TENANT, gateway=gateway, keys=[public_key])
            assert (mission.encounter, mission.vehicle) == (encounter, vehicle)
        await first.close()
        await second.close()
    finally:
        ingesting.cancel()
        await asyncio.wait([ingesting])
        await database.close()
