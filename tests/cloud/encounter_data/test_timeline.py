"""The timeline has assignments, de-identified care and events in the vehicle, in the order of time."""

import json
from typing import Any

import pytest

from cloud.clinical.devices import Devices
from cloud.clinical.encounter_data.selection import Wanted
from cloud.clinical.encounter_data.timeline import EncounterTimeline
from cloud.clinical.epcr import EncounterUnknown, Epcr, VisibleRecords
from cloud.foundation.db import Database
from cloud.foundation.master_key import MasterKey
from cloud.foundation.viewer import Viewer
from cloud.vehicles.ingest.event_reading import EventReader
from protocols.epcr.change import Action
from protocols.uplink.envelope import BatchKind
from protocols.uplink.events import EventField, GatewayEvent, encode_event
from protocols.uplink.lanes import Lane
from tests.builders.care_changes import ENCOUNTER, change
from tests.builders.contract_canaries import CANARIES, found_in
from tests.builders.encounter_reading import assigned
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, VEHICLE, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, GatewayInVehicle
from tests.builders.ingest_kinds import CUFF

SECOND_US = 1_000_000
BEGIN_US = NOW_US - 60 * SECOND_US
"""The beginning of the story, a minute before its batches arrive."""
WHOLE = Wanted()


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    """Return a cloud with an encounter and the values of two devices, which are not assigned yet."""
    cloud = await CloudUnderTest(database).register(gateway)
    epcr = Epcr(cloud.database, cloud.clock, cloud.ids)
    cloud.clock.at_us = BEGIN_US
    await epcr.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE, id=ENCOUNTER)
    cloud.clock.at_us = NOW_US
    await cloud.take(gateway.send(97.0))
    return cloud


def event(gateway: GatewayInVehicle, second: int, name: str, *, device: str | None = None, **fields: EventField) -> Any:
    at_us = BEGIN_US + second * SECOND_US
    sent = GatewayEvent(name=name, at_us=at_us, boot_id="boot-1", device=device, fields=fields)
    return gateway.send_raw(BatchKind.EVENT, encode_event(sent), lane=Lane.EVENT)


async def timeline(
    cloud: CloudUnderTest, wanted: Wanted = WHOLE, *, limit: int = 200, viewer: Viewer = OPERATOR
) -> list[dict[str, Any]]:
    """Read all pages of the timeline."""
    records = VisibleRecords(lambda: MasterKey(b"m" * 32))
    reader = EncounterTimeline(cloud.database, Devices(cloud.ids), records, EventReader())
    found, after = [], None
    while True:
        page = await reader.page(viewer, ENCOUNTER, wanted, after=after, limit=limit)
        assert len(page.lines) <= limit
        found += [json.loads(line) for line in page.lines]
        after = page.next
        if after is None:
            return found


async def full_story(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> str:
    """Let things happen in the encounter, before it and after it; return the id of the oximeter."""
    oximeter = OXIMETER.system_id
    await cloud.take(
        event(gateway, -5, "device.connected", device=oximeter, unverified=False),
        event(gateway, 2, "device.connected", device=oximeter, unverified=True, link=CANARIES["name"]),
        event(gateway, 2, "device.connected", device=CUFF.system_id, unverified=False),
        event(gateway, 3, "device.deviation", device=oximeter, key="k1", clause="8.21", sentence=CANARIES["name"]),
        event(gateway, 4, "clock.lost"),
        event(gateway, 4, "uplink.connected"),
        event(gateway, 60, "device.connected", device=oximeter, unverified=False),
        gateway.send_changes(
            change("procedures.procedure", "392231009", entry="p1", gateway_time_us=BEGIN_US + 5 * SECOND_US),
            change("procedures.time", "2027-01-15T07:59:01.500+00:00", entry="p1"),
            change("procedures.performed_by", CANARIES["name"], entry="p1"),
            change("medications.drug", "1154602", entry="m1", gateway_time_us=BEGIN_US + 6 * SECOND_US),
            change("medications", "not given", entry="m1", action=Action.VOID),
            change("narrative.text", CANARIES["name"]),
        ),
    )
    gateway.now_us = BEGIN_US + 7 * SECOND_US
    await cloud.take(gateway.gap(gateway.many(2)))
    await assigned(cloud, from_us=BEGIN_US + SECOND_US, until_us=BEGIN_US + 30 * SECOND_US, encounter_id=ENCOUNTER)
    return (await cloud.device_ids())[oximeter]


async def test_items_of_all_kinds_are_in_the_order_of_time(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    device_id = await full_story(cloud, gateway)
    found = await timeline(cloud)
    assert [(item["at"][17:23], item["type"], item["device_id"]) for item in found] == [
        ("00.000", "encounter.created", None),
        ("01.000", "device.assigned", device_id),
        ("01.500", "procedure", None),
        ("02.000", "device.connected", device_id),
        ("03.000", "device.deviation", device_id),
        ("04.000", "clock.lost", None),
        ("06.000", "medication", None),
        ("07.000", "gap.recorded", None),
        ("30.000", "device.released", device_id),
    ]
    by_type = {item["type"]: item for item in found}
    assert by_type["device.connected"]["fields"] == {"unverified": True}
    assert by_type["device.deviation"]["fields"] == {"key": "k1", "clause": "8.21"}
    assert (by_type["gap.recorded"]["fields"]["batches"], by_type["gap.recorded"]["fields"]["lane"]) == (2, "numeric")
    assert (by_type["medication"]["void"], by_type["procedure"]["void"]) == (True, False)
    elements = {element["key"]: element["value"] for element in by_type["procedure"]["elements"]}
    assert elements == {"procedures.time": "2027-01-15T07:59:01.500+00:00", "procedures.procedure": "392231009"}


@pytest.mark.contract("S-066", "A-097")
async def test_timeline_contains_no_free_text_of_crew_or_device(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await full_story(cloud, gateway)
    assert found_in(json.dumps(await timeline(cloud))) == []


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_pages_have_every_item_once(cloud: CloudUnderTest, gateway: GatewayInVehicle, limit: int):
    await full_story(cloud, gateway)
    assert await timeline(cloud, limit=limit) == await timeline(cloud)


async def test_filter_selects_the_items_of_an_interval(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await full_story(cloud, gateway)
    wanted = Wanted(since_us=BEGIN_US + 2 * SECOND_US, until_us=BEGIN_US + 4 * SECOND_US)
    assert [item["type"] for item in await timeline(cloud, wanted)] == ["device.connected", "device.deviation"]


async def test_timeline_of_another_tenant_or_organisation_is_unknown(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    for viewer in (Viewer("ten_other", None), Viewer("ten_test", "org_other")):
        with pytest.raises(EncounterUnknown):
            await timeline(cloud, viewer=viewer)
