"""Events in vehicles are read by vehicle, device, gateway, name and time, at the console and for timelines."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cloud.clinical.devices import GAP_RECORDED, EventSearch, VehicleEvent
from cloud.foundation.db import Database
from cloud.foundation.viewer import Viewer
from cloud.vehicles.ingest.event_reading import EventReader
from protocols.uplink.gaps import GapReason
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, VEHICLE, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, GatewayInVehicle

CUFF = "8877665544332211"
ALL = EventSearch(limit=100)


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    """Return a cloud with the events of two gateways of one vehicle, a second apart."""
    other = GatewayInVehicle(gateway="gw_other", key_seed=2)
    cloud = await CloudUnderTest(database).register(gateway, other)
    for second, (sender, name, device) in enumerate(
        [
            (gateway, "device.connected", OXIMETER.system_id),
            (other, "device.connected", CUFF),
            (gateway, "device.deviation", OXIMETER.system_id),
            (gateway, "devices.other", None),
            (other, "clock.learnt", None),
        ]
    ):
        sender.now_us = NOW_US + second * 1_000_000
        await cloud.take(sender.send_event(name, device=device))
    return cloud


async def found(cloud: CloudUnderTest, wanted: EventSearch, viewer: Viewer = OPERATOR) -> Sequence[VehicleEvent]:
    async with cloud.database.read() as tx:
        return await EventReader().search(tx, viewer, wanted)


async def seconds(cloud: CloudUnderTest, wanted: EventSearch) -> list[int]:
    """Return the time of each event that is found, in seconds after the first."""
    return [(event.at_us - NOW_US) // 1_000_000 for event in await found(cloud, wanted)]


SEARCHES: list[tuple[EventSearch, list[int]]] = [
    (ALL, [0, 1, 2, 3, 4]),
    (replace(ALL, vehicle_id=VEHICLE), [0, 1, 2, 3, 4]),
    (replace(ALL, vehicle_id="veh_other"), []),
    (replace(ALL, gateway_id="gw_other"), [1, 4]),
    (replace(ALL, device=OXIMETER.system_id), [0, 2]),
    (replace(ALL, names=("device.connected", "clock")), [0, 1, 4]),
    (replace(ALL, names=("device",)), [0, 1, 2]),
    (replace(ALL, vehicle_id=VEHICLE, since_us=NOW_US + 1_000_000, until_us=NOW_US + 3_000_000), [1, 2]),
    (replace(ALL, limit=2), [0, 1]),
    (replace(ALL, limit=2, newest_first=True), [4, 3]),
    (replace(ALL, vehicle_id=VEHICLE, limit=2, newest_first=True), [4, 3]),
]
"""Searches with the times of the events that they find, in seconds after the first event."""


async def test_search_returns_the_wanted_events_in_the_order_of_time(cloud: CloudUnderTest) -> None:
    for wanted, expected in SEARCHES:
        assert await seconds(cloud, wanted) == expected, wanted


@pytest.mark.parametrize("newest_first", [False, True])
async def test_search_continues_behind_the_last_event_of_the_page_before(
    cloud: CloudUnderTest, newest_first: bool
) -> None:
    page = EventSearch(vehicle_id=VEHICLE, limit=2, newest_first=newest_first)
    names = list[str]()
    while events := await found(cloud, page):
        names += [event.name for event in events]
        page = replace(page, after=events[-1].place)
    whole = await found(cloud, replace(ALL, newest_first=newest_first))
    assert names == [event.name for event in whole]


async def test_gap_record_is_an_event_of_the_vehicle_at_the_time_of_the_first_lost_data(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    gateway.now_us = NOW_US - 5_000_000
    lost = gateway.many(3)
    await cloud.take(gateway.gap(lost, GapReason.DISK_BUDGET))
    (gap,) = await found(cloud, replace(ALL, vehicle_id=VEHICLE, names=("gap",)))
    assert (gap.name, gap.at_us, gap.lane) == (GAP_RECORDED, NOW_US - 5_000_000, "numeric")
    assert (gap.fields["why"], gap.fields["observations"]) == ("disk_budget", 3)
    assert (await found(cloud, ALL))[0] == gap
    assert await found(cloud, replace(ALL, since_us=NOW_US - 4_000_000, names=("gap",))) == []
    assert await found(cloud, replace(ALL, device=CUFF, names=("gap",))) == []


async def test_events_of_another_organisation_or_tenant_are_not_found(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.take(gateway.gap(gateway.many(2)))
    for wanted in (ALL, replace(ALL, vehicle_id=VEHICLE), replace(ALL, gateway_id="gw_test")):
        assert len(await found(cloud, wanted, Viewer(TENANT, ORGANIZATION))) in (4, 6)
        assert await found(cloud, wanted, Viewer(TENANT, "org_other")) == []
        assert await found(cloud, wanted, Viewer("ten_other", None)) == []
