"""Waveforms are read from objects as they were from rows: in the order of time, with the same values and encounters."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloud.clinical.assignments import AssignmentService
from cloud.clinical.devices import Devices
from cloud.clinical.epcr import Epcr
from cloud.clinical.observations.counting import count_in_encounter
from cloud.clinical.observations.export import export_observations
from cloud.clinical.observations.packed_walk import PAGE_RUNS
from cloud.clinical.waveforms import WAVEFORMS
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, ObjectDamaged, ObjectMissing, ObjectStoreUnavailable
from protocols.clock_anchor import ClockAnchor
from protocols.uplink.clock_events import CLOCK_LEARNT, anchor_fields
from protocols.uplink.envelope import BatchKind, Envelope
from protocols.uplink.events import GatewayEvent, encode_event
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, GatewayInVehicle, section
from tests.builders.ingest_kinds import CUFF
from tests.builders.received_batches import RECEIVED
from tests.builders.waveforms import block, many_waves, waves

SECOND = 1_000_000


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, tmp_path: Path) -> CloudUnderTest:
    return await CloudUnderTest(database, objects=LocalObjects(tmp_path / "objects")).register(gateway)


async def exported(cloud: CloudUnderTest, **options: Any) -> list[dict[str, Any]]:
    options.setdefault("objects", cloud.objects)
    found = export_observations(cloud.database, OPERATOR, Devices(cloud.ids), RECEIVED, hidden=True, **options)
    return [document async for document in found]


def mixed(gateway: GatewayInVehicle) -> list[Envelope]:
    """Return batches of two devices, of both lanes and with an unsynchronised clock, not in the order of time."""
    early = replace(section([block(7, at_s=2.5)], wall_offset_us=NOW_US), wall_synchronised=False)
    two = [section([block(1, at_s=3.0), block(2, at_s=1.5)]), section([block(3, at_s=2.0)], device=CUFF)]
    return [
        gateway.send(97.0, 98.0, 99.0),
        waves(gateway, block(4, at_s=4.0), block(5, at_s=5.0)),
        gateway.send_sections(two, lane=Lane.WAVEFORM),
        waves(gateway, block(6, at_s=0.5)),
        gateway.send_sections([early], lane=Lane.WAVEFORM),
    ]


async def test_export_from_objects_equals_the_export_from_rows(
    database: Database, cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    sent = mixed(gateway)
    await cloud.take(*sent)
    from_objects = await exported(cloud, commit_time=True)
    in_rows = GatewayInVehicle(gateway="gw_rows", key_seed=2)
    rows = CloudUnderTest(database)
    await rows.register_gateway(in_rows)
    await rows.take(*mixed(in_rows))
    both = await exported(cloud, commit_time=True)
    own = [one for one in both if one["gateway"] == "gw_test"]
    others = [{**one, "gateway": "gw_test"} for one in both if one["gateway"] == "gw_rows"]
    assert own == from_objects
    assert others == from_objects
    assert len(from_objects) == 10
    since = {"since_us": NOW_US + 2 * SECOND, "device": OXIMETER.system_id, "commit_time": True}
    late = [one for one in await exported(cloud, **since) if one["gateway"] == "gw_test"]
    expected = [
        one
        for one in from_objects
        if one["device"]["system_id"] == OXIMETER.system_id and one["observed_at"] >= "2027-01-15T08:00:02"
    ]
    assert late == expected


async def test_waveforms_of_hours_are_read_page_by_page_in_the_order_of_time(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    sent = many_waves(gateway, 2 * PAGE_RUNS + 4)
    for begin in (12, 0, 24):  # backfill arrives after live data
        for at in range(begin, begin + 12):
            await cloud.take(sent[at])
    assert [one["sequence"] for one in await exported(cloud)] == list(range(1, 37))
    assert [one["sequence"] for one in await exported(cloud, since_us=NOW_US + 31 * SECOND)] == list(range(31, 37))


async def test_waveforms_of_an_unsynchronised_clock_get_their_time_once_the_gateway_learns_it(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    late_us = 300 * 24 * 3600 * SECOND
    await cloud.take(
        *(
            waves(gateway, block(1, at_s=float(at)), synchronised=False, wall_offset_us=NOW_US - late_us)
            for at in (1, 2, 3)
        )
    )
    assert {one["observed_at"][:4] for one in await exported(cloud)} == {"2026"}
    anchor = ClockAnchor.at(monotonic_us=1800 * SECOND, utc_us=NOW_US + 1800 * SECOND, uncertainty_us=5000)
    learnt = GatewayEvent(name=CLOCK_LEARNT, at_us=NOW_US, boot_id="boot-1", device=None, fields=anchor_fields(anchor))
    await cloud.take(gateway.send_raw(BatchKind.EVENT, encode_event(learnt), lane=Lane.EVENT))
    times = [one["observed_at"] for one in await exported(cloud)]
    assert times == [f"2027-01-15T08:00:0{second}.000000Z" for second in (1, 2, 3)]
    since = await exported(cloud, since_us=NOW_US + 2 * SECOND)
    assert [one["observed_at"] for one in since] == times[1:]


async def test_waveforms_belong_to_the_encounter_of_their_time_and_are_counted(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    for sent in many_waves(gateway, 4):
        await cloud.take(sent)
    device_id = (await cloud.device_ids())[OXIMETER.system_id]
    encounter = await Epcr(cloud.database, cloud.clock, cloud.ids).begin(OPERATOR, organization_id=ORGANIZATION)
    desk = AssignmentService(cloud.database, cloud.clock, cloud.ids)
    span = {"from_us": NOW_US + 2 * SECOND, "until_us": NOW_US + 4 * SECOND}
    await desk.assign(OPERATOR, device_id=device_id, encounter_id=encounter.id, **span)
    assert [one["encounter_id"] for one in await exported(cloud)] == [None, encounter.id, encounter.id, None]
    assert await count_in_encounter(cloud.database, OPERATOR, encounter.id) == 2


@pytest.mark.parametrize("damage", ["absent", "cut", "changed"])
async def test_object_that_cannot_be_read_is_reported_by_name(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, tmp_path: Path, damage: str
) -> None:
    await cloud.take(*many_waves(gateway, 3))
    (path,) = [one for one in (tmp_path / "objects" / WAVEFORMS).rglob("*") if one.is_file()]
    data = path.read_bytes()
    if damage == "absent":
        path.unlink()
    else:
        path.write_bytes(data[:60] if damage == "cut" else data[:60] + bytes([data[60] ^ 1]) + data[61:])
    with pytest.raises(ObjectMissing if damage == "absent" else ObjectDamaged, match=path.name):
        await exported(cloud)
    with pytest.raises(ObjectStoreUnavailable, match="settings name none"):
        await exported(cloud, objects=None)
