"""A gateway revoked on a real mosquitto with TLS is disconnected and cannot reconnect; others stay connected."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.master_key import MasterKey
from cloud.foundation.viewer import Viewer
from cloud.vehicles.fleet.access import GatewayAccessDesk
from cloud.vehicles.fleet.authority_store import AuthorityStore
from cloud.vehicles.fleet.broker_configuration import RELOAD_FILE
from cloud.vehicles.fleet.broker_directory import BrokerDirectory
from cloud.vehicles.ingest import make_ingest
from cloud.vehicles.ingest.broker_control import RightsLink, broker_rights
from cloud.vehicles.ingest.take_over import take_over
from gateway.sync.mqtt import MqttSession
from gateway.sync.mqtt_errors import MqttUnavailable
from protocols.uplink import topics
from protocols.uplink.envelope import encode_envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.harness.eventually import eventually
from tests.harness.fleet_broker import CLOUD_LOGIN, Credentials, FleetBroker, fleet_broker

pytestmark = pytest.mark.broker

MASTER = MasterKey(bytes(32))
STOLEN, OTHER = "gw_stolen", "gw_other"
SHUT_OUT_S_MAX = 10.0


class Fleet:
    """A cloud and a broker with two gateways, and an operator's actions on the gateways."""

    def __init__(self, database: Database, broker: FleetBroker) -> None:
        self.broker = broker
        self.cloud = CloudUnderTest(database)
        clock = SystemClock()
        self.desk = GatewayAccessDesk(database, clock, UlidIds(clock))
        self.directory = BrokerDirectory(database, clock, lambda: MASTER, broker.layout.live, CLOUD_LOGIN)
        self.link = RightsLink(broker.cloud_address)
        self.gateways = {name: GatewayInVehicle(gateway=name) for name in (STOLEN, OTHER)}

    async def begin(self) -> None:
        await self.cloud.register(*self.gateways.values())
        async with self.cloud.database.transaction() as tx:
            await AuthorityStore().add(tx, self.broker.authority, MASTER, 1)
        await self.look()
        await eventually(lambda: not (self.broker.layout.live / RELOAD_FILE).exists())

    async def look(self) -> None:
        """Update the broker's files and access rights, as the cloud's worker does periodically."""
        await self.link.apply((await self.directory.refresh()).admitted)

    async def certificate(self, name: str) -> Credentials:
        """Issue a certificate with a new key for this gateway, as the cloud does."""
        given = self.broker.credentials(name)
        made = await self.desk.issue_certificate(OPERATOR, name, given.public_key, lambda: MASTER, days=1)
        return given.with_certificate(made)

    async def connected(self, credentials: Credentials) -> MqttSession:
        session = await self.broker.vehicle(credentials)
        await session.subscribe(topics.ack(TENANT, credentials.common_name))
        return session

    async def send(self, session: MqttSession, name: str) -> None:
        envelope = self.gateways[name].send()
        await session.publish(topics.up(TENANT, name, Lane.NUMERIC), encode_envelope(envelope))

    async def shut_out(self, act: str, viewer: Viewer = OPERATOR) -> None:
        """Suspend or revoke the stolen gateway like `argus-cloud gateways suspend` or `revoke`; `act` is the verb."""
        await getattr(self.desk, act)(viewer, STOLEN, "stolen")
        await self.directory.refresh()
        async with broker_rights(self.broker.cloud_address) as rights:
            await rights.withdraw(STOLEN)
        assert await take_over(self.broker.cloud_address, STOLEN, held_s=0.5)


@pytest.fixture
async def fleet(database: Database, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet_broker(tmp_path / "broker") as broker, path_unit(broker):
        fleet = Fleet(database, broker)
        await fleet.begin()
        yield fleet
        await fleet.link.close()


@asynccontextmanager
async def path_unit(broker: FleetBroker) -> AsyncIterator[None]:
    """Reload the broker when its reload file exists, as `argus-broker-reload.path` and its systemd service do."""

    async def watch() -> None:
        due = broker.layout.live / RELOAD_FILE
        while True:
            if due.exists():
                due.unlink()
                broker.reload()
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


@pytest.mark.finding("security-6")
async def test_revoked_gateway_is_disconnected_within_ten_seconds_and_other_gateways_stay_connected(
    fleet: Fleet,
) -> None:
    stolen, other = await fleet.certificate(STOLEN), await fleet.certificate(OTHER)
    live, bystander = await fleet.connected(stolen), await fleet.connected(other)
    async with asyncio.timeout(SHUT_OUT_S_MAX):
        await fleet.shut_out("revoke")
        await eventually(live.ended.done)
    with pytest.raises(MqttUnavailable, match="Administrative action"):
        live.ended.result()
    with pytest.raises(MqttUnavailable):
        await fleet.broker.vehicle(stolen)
    await bystander.publish(topics.up(TENANT, OTHER, Lane.NUMERIC), b"still here")
    assert not bystander.ended.done()
    with pytest.raises(MqttUnavailable):  # nor under another name
        await fleet.broker.vehicle(stolen, client_id="anything")


@pytest.mark.finding("security-6")
async def test_resumed_gateway_can_connect_and_publish_again(fleet: Fleet) -> None:
    credentials = await fleet.certificate(STOLEN)
    live = await fleet.connected(credentials)
    await fleet.shut_out("suspend")
    await eventually(live.ended.done)
    with pytest.raises(MqttUnavailable):
        await fleet.broker.vehicle(credentials)
    await fleet.desk.resume(OPERATOR, STOLEN)
    await fleet.look()
    await eventually(lambda: not (fleet.broker.layout.live / RELOAD_FILE).exists())
    session = await eventually(lambda: comes_in(fleet, credentials))
    await session.publish(topics.up(TENANT, STOLEN, Lane.NUMERIC), b"again")


async def comes_in(fleet: Fleet, credentials: Credentials) -> MqttSession | None:
    with suppress(MqttUnavailable):
        return await fleet.broker.vehicle(credentials)
    return None


async def test_revoked_gateway_with_a_certificate_absent_from_the_revocation_list_has_no_broker_rights(
    fleet: Fleet,
) -> None:
    """The serial number is not on the list; without rights it can neither send nor receive."""
    unknown = fleet.broker.credentials(STOLEN)
    live = await fleet.connected(unknown)
    await fleet.shut_out("revoke")
    await eventually(live.ended.done)
    session = await fleet.broker.vehicle(unknown)
    with pytest.raises(Exception, match="Not authorized"):
        await session.publish(topics.up(TENANT, STOLEN, Lane.NUMERIC), b"x")


async def test_ingest_ends_the_connection_of_a_suspended_gateway_at_its_next_message(fleet: Fleet) -> None:
    """The console could not reach the broker: the gateway's next message ends its connection."""
    live = await fleet.connected(await fleet.certificate(STOLEN))
    running = make_ingest(fleet.cloud.database, fleet.broker.cloud_address, fleet.cloud.clock, fleet.cloud.ids)
    task = asyncio.ensure_future(running.run())
    try:
        await eventually(lambda: running.unready() is None)
        await fleet.send(live, STOLEN)
        assert (await live.receive()).payload
        await fleet.desk.suspend(OPERATOR, STOLEN, "lost")
        with suppress(MqttUnavailable):
            await fleet.send(live, STOLEN)
        await eventually(live.ended.done)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_broker_with_an_expired_revocation_list_refuses_every_vehicle(fleet: Fleet) -> None:
    """An expired list locks out the whole fleet: it is renewed daily, with a warning from 14 days before."""
    fleet.broker.revoke_with_expired_list()
    fleet.broker.reload()
    credentials = await fleet.certificate(OTHER)
    await eventually(lambda: is_refused(fleet, credentials))


async def is_refused(fleet: Fleet, credentials: Credentials) -> bool:
    try:
        await (await fleet.broker.vehicle(credentials)).close()
    except MqttUnavailable:
        return True
    return False
