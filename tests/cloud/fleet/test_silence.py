"""A gateway that is silent for long is reported offline once, and its return is reported too; a short
silence is not."""

from pathlib import Path

import pytest

from cloud.app import jobs_of
from cloud.clinical.devices import Devices, DeviceSilence, Enrolment
from cloud.clinical.devices.tables import devices
from cloud.foundation.db import Database
from cloud.foundation.housekeeping import Housekeeping
from cloud.settings import read_settings
from cloud.supplies import make_process
from cloud.vehicles.fleet import GatewaySilence
from tests.builders.cloud_settings import settings_file
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, VEHICLE, CloudUnderTest
from tests.builders.ingest_gateway import OXIMETER, GatewayInVehicle, readings, section
from tests.cloud.ingest.test_identities import status

SECOND_US = 1_000_000
SILENCE_US = 300 * SECOND_US


class Watched:
    """A cloud with one gateway in a vehicle, and the watches that report silent gateways and devices."""

    def __init__(self, cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
        self.cloud = cloud
        self.gateway = gateway
        self.watch = GatewaySilence(cloud.ids, SILENCE_US)
        self.device_watch = DeviceSilence(cloud.ids, SILENCE_US)

    async def emit(self, *, online: bool = True) -> None:
        said = status(online=online)
        await self.cloud.take(self.cloud.handover.status_delivery(said))

    async def later(self, seconds: int) -> list[str]:
        """Advance the clock and run the watches; return all events published so far."""
        self.cloud.clock.at_us += seconds * SECOND_US
        for watch in (self.watch, self.device_watch):
            async with self.cloud.database.transaction() as tx:
                await watch.report(tx, self.cloud.clock.now_us())
        return await self.told()

    async def told(self) -> list[str]:
        names = [kind for kind, _ in await self.cloud.events()]
        return [name for name in names if name in {"gateway.connected", "gateway.offline", "device.offline"}]

    async def enrol(self) -> str:
        """Enrol the oximeter of the vehicle; return its device id."""
        enrolment = Enrolment(self.cloud.database, self.cloud.clock, self.cloud.ids)
        enrolled = await enrolment.enrol(
            OPERATOR,
            organization_id=ORGANIZATION,
            serial_number="SN-1",
            device_class="oximeter",
            manufacturer="Synthetic",
            system_id=next(iter(await self.cloud.device_ids())),
            vehicle_id=VEHICLE,
        )
        return enrolled.device.id


@pytest.fixture
async def watched(database: Database) -> Watched:
    gateway = GatewayInVehicle()
    return Watched(await CloudUnderTest(database).register(gateway), gateway)


@pytest.mark.contract("C-079", "A-059")
async def test_gateway_connected_event_is_published_once_while_a_gateway_stays_connected(watched: Watched):
    assert await watched.later(3600) == [], "it was registered, and nobody has plugged it in"
    await watched.emit()
    await watched.emit()
    assert await watched.later(60) == ["gateway.connected"]
    ((_, payload),) = [event for event in await watched.cloud.events() if event[0] == "gateway.connected"]
    assert payload == {
        "gateway_id": "gw_test",
        "vehicle_id": VEHICLE,
        "connected_at": payload["connected_at"],
    }


async def test_gateway_offline_event_is_published_once_and_only_after_a_long_silence(watched: Watched):
    await watched.emit()
    await watched.emit(online=False)
    assert await watched.later(120) == ["gateway.connected"]
    await watched.emit()
    assert await watched.later(120) == ["gateway.connected"]
    assert await watched.later(180) == ["gateway.connected", "gateway.offline"]
    assert await watched.later(3600) == ["gateway.connected", "gateway.offline"]
    await watched.emit()
    assert await watched.later(0) == ["gateway.connected", "gateway.offline", "gateway.connected"]


async def test_gateway_is_reported_offline_five_minutes_after_its_mqtt_will_is_received(watched: Watched):
    await watched.emit()
    await watched.emit(online=False)
    assert await watched.later(299) == ["gateway.connected"]
    assert await watched.later(1) == ["gateway.connected", "gateway.offline"]
    await watched.emit(online=False)
    assert await watched.later(600) == ["gateway.connected", "gateway.offline"]


async def test_offline_gateway_detected_by_two_workers_is_reported_once(watched: Watched):
    await watched.emit()
    watched.cloud.clock.at_us += SILENCE_US
    told = []
    for watch in (watched.watch, GatewaySilence(watched.cloud.ids, SILENCE_US)):
        async with watched.cloud.database.transaction() as tx:
            told.append(await watch.report(tx, watched.cloud.clock.now_us()))
    assert told == [1, 0]


async def test_gateways_are_not_reported_offline_because_of_downtime_of_the_cloud(watched: Watched, tmp_path: Path):
    await watched.emit()
    cloud = watched.cloud
    cloud.clock.at_us += 86_400 * SECOND_US
    settings = read_settings(settings_file(tmp_path))
    process = make_process(settings, cloud.database, cloud.clock, cloud.ids, roles=())
    watches = [watch for one in jobs_of(process) for watch in one.watches]
    watching = Housekeeping(cloud.database, cloud.clock, watches)
    for moved_s, told in ((299, []), (1, ["gateway.offline"])):
        cloud.clock.at_us += moved_s * SECOND_US
        await watching.tidy()
        assert await watched.told() == ["gateway.connected", *told]


@pytest.mark.contract("C-079", "A-059")
async def test_device_offline_event_is_published_once_for_each_silence_of_a_device(watched: Watched):
    await watched.cloud.take(watched.gateway.send())
    assert await watched.later(600) == [], "nobody enrolled it"
    device_id = await watched.enrol()
    assert await watched.later(0) == ["device.offline"]
    assert await watched.later(3600) == ["device.offline"]
    ((_, payload),) = [event for event in await watched.cloud.events() if event[0] == "device.offline"]
    assert (payload["device_id"], payload["vehicle_id"]) == (device_id, VEHICLE)
    async with watched.cloud.database.transaction() as tx:
        await Devices(watched.cloud.ids).heard(tx, OPERATOR.tenant_id, device_id, watched.cloud.clock.now_us())
    assert await watched.later(299) == ["device.offline"]
    assert await watched.later(1) == ["device.offline"] * 2


async def test_retired_device_is_not_reported_offline(watched: Watched):
    await watched.cloud.take(watched.gateway.send())
    device_id = await watched.enrol()
    await Enrolment(watched.cloud.database, watched.cloud.clock, watched.cloud.ids).retire(OPERATOR, device_id)
    assert await watched.later(3600) == []


@pytest.mark.finding("security-2")
@pytest.mark.parametrize("began_us", [-9 * 10**18, -(10**17)])
async def test_silent_device_is_reported_offline_when_its_last_report_had_an_impossible_time(
    watched: Watched, began_us: int
):
    cloud = watched.cloud
    enrolment = Enrolment(cloud.database, cloud.clock, cloud.ids)
    enrolled = await enrolment.enrol(
        OPERATOR,
        organization_id=ORGANIZATION,
        serial_number="SN-1",
        device_class="oximeter",
        manufacturer="Synthetic",
        system_id=OXIMETER.system_id,
        vehicle_id=VEHICLE,
    )
    await cloud.take(watched.gateway.send_sections([section(readings(97.0), wall_offset_us=began_us)]))
    (row,) = await cloud.rows(devices)
    assert (row.id, row.last_seen_us) == (enrolled.device.id, 0), "no clock of ours says less"
    assert await watched.later(600) == ["device.offline"]
