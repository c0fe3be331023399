"""The cloud stores how a device describes itself, the changes of that description, and the power of the device."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cloud.clinical.devices import Device, Enrolment, SelfDescription
from cloud.clinical.devices.description_history import HistoryQuery
from cloud.clinical.devices.tables import device_descriptions, devices
from cloud.foundation.db import Database
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.tables import parked_batches
from protocols.device_description import DeviceDescription, DevicePower, DeviceProfile
from protocols.uplink.device_events import DEVICE_DESCRIBED, DEVICE_POWERED
from protocols.uplink.envelope import Envelope
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, GatewayInVehicle
from tests.builders.statement_count import CountingDatabase

DAY_US = 86_400_000_000
PULSE = DeviceDescription(
    manufacturer="Synthetic Medical",
    model="Pulse 1",
    serial_number="SN-7",
    firmware_revision="1.0",
    profiles=(DeviceProfile(4100, 1),),
    clock_capabilities=0xC010,
)
UPDATED = replace(PULSE, firmware_revision="1.1")
EVERYTHING = HistoryQuery(limit=100)


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


def at(gateway: GatewayInVehicle, days: float) -> GatewayInVehicle:
    """Set the gateway's clock to some days before the present time of the cloud."""
    gateway.now_us = NOW_US - round(days * DAY_US)
    return gateway


def enrolment(cloud: CloudUnderTest) -> Enrolment:
    return Enrolment(cloud.database, cloud.clock, cloud.ids)


async def the_device(cloud: CloudUnderTest) -> Device:
    (found,) = await enrolment(cloud).list(OPERATOR, hidden=True)
    return found


async def firmwares(cloud: CloudUnderTest, wanted: HistoryQuery = EVERYTHING) -> list[tuple[str, int, int | None]]:
    """Return the firmware of each period, with its beginning and end in days before the present."""
    found = await enrolment(cloud).history(OPERATOR, wanted)

    def days(at_us: int | None) -> int | None:
        return None if at_us is None else round((NOW_US - at_us) / DAY_US)

    return [(one.description.values.firmware_revision, days(one.from_us), days(one.until_us)) for one in found]  # type: ignore[misc]


async def test_description_makes_a_device_known_and_is_its_current_description(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.take(at(gateway, 1).send_description(PULSE))
    device = await the_device(cloud)
    assert (device.system_id, device.model) == (OXIMETER.system_id, "Pulse 1")
    assert device.described == SelfDescription(PULSE)
    assert device.described_at_us == NOW_US - DAY_US


async def test_repeated_description_changes_nothing(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    await cloud.take(at(gateway, 3).send_description(PULSE), at(gateway, 2).send_description(PULSE))
    await cloud.take(at(gateway, 1).send_description(PULSE))
    assert await firmwares(cloud) == [("1.0", 3, None)]
    assert (await the_device(cloud)).described_at_us == NOW_US - 3 * DAY_US


async def test_firmware_of_any_day_is_found_in_the_history(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    await cloud.take(at(gateway, 9).send_description(PULSE), at(gateway, 5).send_description(UPDATED))
    await cloud.take(at(gateway, 2).send_description(PULSE))
    assert await firmwares(cloud) == [("1.0", 9, 5), ("1.1", 5, 2), ("1.0", 2, None)]

    async def ran(firmware: str, days_ago: float) -> bool:
        since_us = NOW_US - round(days_ago * DAY_US)
        texts = (("firmware_revision", firmware),)
        wanted = HistoryQuery(texts=texts, since_us=since_us, until_us=since_us + DAY_US, limit=10)
        return bool(await firmwares(cloud, wanted))

    assert [await ran("1.0", days) for days in (10.5, 7.5, 3.5, 1.0)] == [False, True, False, True]
    assert [await ran("1.1", days) for days in (7.5, 5.5, 3.5, 1.0)] == [False, True, True, False]


async def test_description_that_arrives_late_is_history_and_not_current(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.take(at(gateway, 2).send_description(UPDATED))
    await cloud.take(at(gateway, 6).send_description(PULSE))
    assert await firmwares(cloud) == [("1.0", 6, 2), ("1.1", 2, None)]
    assert (await the_device(cloud)).described == SelfDescription(UPDATED)


async def test_description_over_an_unverified_link_does_not_replace_a_verified_one(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    forged = replace(PULSE, firmware_revision="9.9")
    await cloud.take(at(gateway, 5).send_description(forged, unverified=True))
    assert (await the_device(cloud)).described == SelfDescription(forged, unverified=True)
    await cloud.take(at(gateway, 4).send_description(PULSE))
    await cloud.take(at(gateway, 3).send_description(forged, unverified=True))
    assert (await the_device(cloud)).described == SelfDescription(PULSE)
    assert [row[0] for row in await firmwares(cloud)] == ["9.9", "1.0", "9.9"]
    for percent, unverified in ((50, False), (1, True)):
        await cloud.take(gateway.send_power(DevicePower(battery_percent=percent), unverified=unverified))
    assert (await the_device(cloud)).battery_percent == 50


async def test_power_supply_is_the_latest_that_was_reported(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    powers = {3: DevicePower(battery_percent=80), 1: DevicePower(battery_percent=60, status=0x4000), 2: DevicePower()}
    await cloud.take(*(at(gateway, days).send_power(power) for days, power in powers.items()))
    await cloud.take(at(gateway, 2).send_power(DevicePower(battery_percent=70, battery_remaining_min=90)))
    device = await the_device(cloud)
    assert (device.battery_percent, device.power_status, device.battery_remaining_min) == (60, 0x4000, None)
    assert device.battery_at_us == NOW_US - DAY_US
    assert device.description is None


@pytest.mark.parametrize("fields", [{}, {"model": 7, "profiles": "4100", "clock_capabilities": -1, "future": "x"}])
async def test_report_without_a_valid_value_does_not_erase_a_description(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, fields: dict[str, str | int]
) -> None:
    await cloud.take(gateway.send_description(PULSE), gateway.send_power(DevicePower(battery_percent=50)))
    await cloud.take(
        gateway.send_event(DEVICE_DESCRIBED, fields=fields), gateway.send_event(DEVICE_POWERED, fields=fields)
    )
    device = await the_device(cloud)
    assert (device.described, device.battery_percent) == (SelfDescription(PULSE), 50)


@pytest.mark.parametrize("device", [None, "", "1122", "11:22:33:44:55:66:77:88", "x" * 128])
async def test_report_without_a_system_id_is_an_event_and_describes_no_device(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, device: str | None
) -> None:
    await cloud.take(gateway.send_event(DEVICE_DESCRIBED, device=device, fields={"model": "Pulse 1"}))
    assert await cloud.rows(devices) == []


async def test_time_of_a_description_is_never_in_the_future(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    await cloud.take(at(gateway, -400).send_description(PULSE))
    await cloud.take(at(gateway, 0).send_description(UPDATED))
    assert (await the_device(cloud)).described == SelfDescription(UPDATED)


async def test_description_in_a_parked_batch_is_stored_when_the_quota_allows_it(
    database: Database, gateway: GatewayInVehicle
) -> None:
    quotas = IngestSection(devices_burst=1, devices_per_hour=3600)
    cloud = await CloudUnderTest(database, quotas=quotas).register(gateway)
    other = "8877665544332211"
    await cloud.take(gateway.send_description(PULSE), gateway.send_description(UPDATED, device=other))
    assert len(await cloud.rows(parked_batches)) == 1
    cloud.clock.at_us += 60_000_000
    assert await cloud.take_up() == 1
    assert [row.firmware_revision for row in await cloud.rows(device_descriptions)] != ["1.0"]
    assert len(await cloud.rows(devices)) == 2


async def test_description_moves_with_a_device_that_is_merged_into_the_enrolled_one(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    serial = {"serial_number": "SN-7", "device_class": "oximeter", "manufacturer": "Synthetic"}
    await enrolment(cloud).enrol(OPERATOR, organization_id=ORGANIZATION, **serial)
    await cloud.take(at(gateway, 3).send_description(PULSE), gateway.send_power(DevicePower(battery_percent=50)))
    merged = await enrolment(cloud).enrol(
        OPERATOR, organization_id=ORGANIZATION, **serial, system_id=OXIMETER.system_id
    )
    assert merged.absorbed is not None
    await cloud.take(at(gateway, 1).send_description(UPDATED))
    (device,) = await enrolment(cloud).list(OPERATOR)
    assert (device.described, device.battery_percent) == (SelfDescription(UPDATED), 50)
    assert await firmwares(cloud) == [("1.0", 3, 1), ("1.1", 1, None)]
    assert await firmwares(cloud, HistoryQuery(device_id=merged.absorbed, limit=9)) == await firmwares(cloud)


async def test_reports_on_many_devices_need_as_many_statements_as_one_report(database: Database) -> None:
    counting = CountingDatabase(database)
    cloud = await CloudUnderTest(counting).register()
    gateways = [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in range(9)]
    for one in gateways:
        await cloud.register_gateway(one)

    def reports(some: Sequence[GatewayInVehicle], each: int, description: DeviceDescription) -> list[Envelope]:
        return [
            envelope
            for gateway in some
            for number in range(each)
            for device in [f"{int(gateway.gateway[3:]):08x}{number:08x}"]
            for envelope in (
                gateway.send_description(description, device=device),
                gateway.send_power(DevicePower(battery_percent=number), device=device),
            )
        ]

    async def statements(arrivals: Sequence[Envelope]) -> int:
        before = counting.statements + counting.reads.statements
        await cloud.take(*arrivals)
        return counting.statements + counting.reads.statements - before

    for description in (PULSE, UPDATED):
        one = await statements(reports(gateways[:1], 1, description))
        many = await statements(reports(gateways[1:], 4, description))
        assert many == one
    assert len(await cloud.rows(device_descriptions)) == 2 * (1 + 8 * 4)
