"""An export states with which attributes a device described itself when it sent each observation."""

from dataclasses import replace
from typing import Any

import pytest

from cloud.clinical.devices import Devices, Enrolment, described_times
from cloud.clinical.devices.errors import DescriptionsTooMany
from cloud.clinical.observations.export import export_observations
from cloud.foundation.db import Database
from protocols.device_description import DeviceDescription, DeviceProfile
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, GatewayInVehicle, readings, section
from tests.builders.ingest_kinds import CUFF
from tests.builders.received_batches import RECEIVED
from tests.builders.statement_count import CountingDatabase

DAY_US = 86_400_000_000
PULSE = DeviceDescription(
    manufacturer="Synthetic Medical",
    model="Pulse 1",
    serial_number="SN-7",
    firmware_revision="1.0",
    profiles=(DeviceProfile(4100, 1),),
)
UPDATED = replace(PULSE, firmware_revision="1.1")


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


def at(gateway: GatewayInVehicle, days: float) -> GatewayInVehicle:
    """Set the gateway's clock to some days before the present time of the cloud."""
    gateway.now_us = NOW_US - round(days * DAY_US)
    return gateway


async def exported_devices(cloud: CloudUnderTest, database: Any = None, **options: Any) -> list[tuple[Any, Any]]:
    """Return the value and the device of each exported observation."""
    options = {"hidden": True, "attributes": True, **options}
    found = export_observations(database or cloud.database, OPERATOR, Devices(cloud.ids), RECEIVED, **options)
    return [(document["value"], document["device"]) async for document in found]


async def firmwares(cloud: CloudUnderTest) -> list[tuple[Any, Any]]:
    return [(value, device["description"]["firmware_revision"]) for value, device in await exported_devices(cloud)]


async def enrol(cloud: CloudUnderTest, **facts: Any) -> str:
    enrolment = Enrolment(cloud.database, cloud.clock, cloud.ids)
    kind = {"serial_number": "SYN-1", "device_class": "oximeter", "manufacturer": "Synthetic"}
    return (await enrolment.enrol(OPERATOR, organization_id=ORGANIZATION, **kind, **facts)).device.id


async def test_observation_has_the_enrolment_and_the_description_of_its_device(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.take(at(gateway, 2).send_description(PULSE), at(gateway, 1).send(97.0))
    id_ = await enrol(cloud, system_id=OXIMETER.system_id)
    ((_, device),) = await exported_devices(cloud)
    description = device.pop("description")
    assert device == {
        "system_id": OXIMETER.system_id,
        "model": OXIMETER.model,
        "id": id_,
        "device_class": "oximeter",
        "manufacturer": "Synthetic",
        "serial_number": "SYN-1",
        "described_at": "2027-01-13T08:00:00.000000Z",
    }
    assert (description["manufacturer"], description["serial_number"]) == ("Synthetic Medical", "SN-7")
    assert (description["model"], description["firmware_revision"]) == ("Pulse 1", "1.0")
    assert description["profiles"] == [{"name": "MDC_DEV_SPEC_PROFILE_PULS_OXIM", "version": 1}]
    assert description["unverified_link"] is False


async def test_each_observation_has_the_description_that_was_valid_when_it_was_received(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.take(at(gateway, 6).send_description(PULSE), at(gateway, 5).send(1.0))
    await cloud.take(at(gateway, 4).send_description(UPDATED), at(gateway, 3).send(2.0))
    await cloud.take(at(gateway, 2).send_description(PULSE), at(gateway, 1).send(3.0))
    assert await firmwares(cloud) == [(1.0, "1.0"), (2.0, "1.1"), (3.0, "1.0")]


async def test_observation_before_the_first_description_has_that_one_with_its_later_time(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.take(at(gateway, 3).send(1.0), at(gateway, 2).send_description(PULSE))
    ((_, device),) = await exported_devices(cloud)
    assert device["description"]["firmware_revision"] == "1.0"
    assert device["described_at"] == "2027-01-13T08:00:00.000000Z"


async def test_device_that_never_described_itself_has_no_description(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.take(gateway.send(97.0))
    ((_, device),) = await exported_devices(cloud)
    assert (device["described_at"], device["description"]) == (None, None)
    assert (device["manufacturer"], device["serial_number"], device["device_class"]) == (None, None, None)


async def test_claim_over_an_unverified_link_describes_only_the_observations_over_such_a_link(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.take(at(gateway, 5).send_description(PULSE))
    await cloud.take(at(gateway, 4).send_description(UPDATED, unverified=True))
    claimed = replace(OXIMETER, unverified_link=True)
    received_us = NOW_US - 3 * DAY_US
    sections = [
        section(readings(1.0), wall_offset_us=received_us),
        section(readings(2.0, at_s=2.0), device=claimed, wall_offset_us=received_us),
    ]
    await cloud.take(gateway.send_sections(sections))
    assert await firmwares(cloud) == [(1.0, "1.0"), (2.0, "1.1")]


async def test_devices_merged_into_one_have_its_descriptions(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    await enrol(cloud)
    await cloud.take(at(gateway, 3).send_description(PULSE), at(gateway, 2).send(1.0))
    id_ = await enrol(cloud, system_id=OXIMETER.system_id)
    await cloud.take(at(gateway, 1).send(2.0))
    found = await exported_devices(cloud)
    assert [(value, device["id"], device["serial_number"]) for value, device in found] == [
        (1.0, id_, "SYN-1"),
        (2.0, id_, "SYN-1"),
    ]
    assert await firmwares(cloud) == [(1.0, "1.0"), (2.0, "1.0")]


async def test_attributes_cost_two_statements_for_each_device_and_none_for_an_observation(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.take(at(gateway, 3).send_description(PULSE), at(gateway, 2).send(1.0))
    await cloud.take(gateway.send_sections([section(readings(7.0), device=CUFF)]))

    async def statements(**options: Any) -> int:
        counting = CountingDatabase(cloud.database)
        await exported_devices(cloud, counting, **options)
        return counting.reads.statements

    assert await statements() - await statements(attributes=False) == 4
    before = await statements()
    await cloud.take(gateway.send(*map(float, range(200))))
    assert await statements() == before


async def test_long_history_is_read_in_pages(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(described_times, "PAGE_ROWS", 2)
    for days in range(10, 0, -2):
        described = replace(PULSE, firmware_revision=f"{days}")
        await cloud.take(at(gateway, days).send_description(described), at(gateway, days - 1).send(float(days)))
    assert await firmwares(cloud) == [(float(days), f"{days}") for days in range(10, 0, -2)]
    monkeypatch.setattr(described_times, "DESCRIPTIONS_MAX", 4)
    with pytest.raises(DescriptionsTooMany):
        await exported_devices(cloud)
