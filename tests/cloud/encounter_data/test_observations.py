"""The observations of an encounter are those of the export: from single rows, from minute rows, and posted ones."""

from typing import Any

import pytest

from cloud.clinical.encounter_data.selection import Wanted
from cloud.clinical.epcr import EncounterUnknown
from cloud.clinical.observations import encounter_walk
from cloud.foundation.db import Database
from cloud.foundation.viewer import Viewer
from protocols.uplink.lanes import Lane
from tests.builders.encounter_reading import assigned, observations, pages, reading
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, SPO2, GatewayInVehicle, readings, section
from tests.builders.ingest_kinds import CUFF, PRESSURE, every_kind, one
from tests.builders.minute_rows import CHANNELS, compact, exported, seconds
from tests.builders.waveforms import waves
from tests.cloud.observations.test_clocks import early, learnt

SECOND_US = 1_000_000
IDENTITY = ("gateway", "epoch", "lane", "sequence", "index")
SHARED = ("observed_at", "uncertainty_ms", "received_at", "device_time", "wall_synchronised", "status", "person")
"""Fields that an observation has in the export and in the response."""


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


def identity(document: dict[str, Any]) -> tuple[Any, ...]:
    source = document.get("provenance") or document
    return tuple(source[name] for name in IDENTITY)


async def agree(cloud: CloudUnderTest, encounter_id: str) -> list[dict[str, Any]]:
    """Check that the observations of the encounter are those that the export assigns to it, without waveforms; return
    them."""
    found = await observations(cloud, encounter_id)
    export = {
        identity(one): one
        for one in await exported(cloud, objects=cloud.objects)
        if one["encounter_id"] == encounter_id
    }
    expected = {key: one for key, one in export.items() if one["samples"] is None}
    assert {identity(shown) for shown in found} == expected.keys()
    assert len(found) == len(expected)
    for shown in found:
        kept = expected[identity(shown)]
        assert {name: shown[name] for name in SHARED} == {name: kept[name] for name in SHARED}
        assert (shown["mdc_code"], shown["handle"]) == (kept["type"], kept["handle"])
        if "text_withheld" not in shown["flags"]:
            assert (shown["value"], shown["flags"]) == (kept["value"], kept["flags"])
    times = [shown["observed_at"] for shown in found]
    assert times == sorted(times)
    return found


async def test_observations_of_every_kind_agree_with_the_export(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send_sections(every_kind()))
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    found = await agree(cloud, encounter_id)
    assert any(isinstance(shown["value"], dict) for shown in found)
    assert {shown["unit_code"] for shown in found} >= {"%", None}


async def test_text_that_a_device_sent_as_a_value_is_withheld(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send_sections(every_kind()))
    encounter_id = await assigned(cloud)
    withheld = [shown for shown in await observations(cloud, encounter_id) if "text_withheld" in shown["flags"]]
    assert [(shown["mdc_code"], shown["value"]) for shown in withheld] == [("MDC_ECG_HEART_RATE", None)]


async def test_observations_in_minute_rows_are_the_same_as_in_single_rows(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_sections(every_kind()), *seconds(gateway, 130, first=10))
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    before = await agree(cloud, encounter_id)
    await compact(cloud)
    await cloud.take(*seconds(gateway, 5, first=200))
    after = await agree(cloud, encounter_id)
    assert after[: len(before)] == before
    assert len(after) == len(before) + 5 * len(CHANNELS)


@pytest.mark.parametrize("limit", [1, 7, 400])
async def test_pages_have_every_observation_once_and_in_order(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, limit: int
):
    await cloud.take(*seconds(gateway, 40))
    await compact(cloud)
    cuff = [section([one(PRESSURE, (120.0, 80.0), received_s=second + 0.5)], device=CUFF) for second in range(40)]
    await cloud.take(*(gateway.send_sections([each]) for each in cuff), *seconds(gateway, 20, first=40))
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    found = await pages(cloud, encounter_id, limit=limit)
    assert all(len(page) <= limit for page in found)
    joined = [shown for page in found for shown in page]
    assert joined == await agree(cloud, encounter_id)
    assert len(joined) == 60 * len(CHANNELS) + 40


async def test_time_that_a_gateway_learns_later_decides_the_encounter(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send_sections([early(1.0, 2.0, 3.0)]), gateway.send(4.0))
    encounter_id = await assigned(cloud, from_us=NOW_US + 2 * SECOND_US)
    await cloud.take(learnt(gateway))
    found = await agree(cloud, encounter_id)
    assert [shown["value"] for shown in found] == [2.0, 3.0]
    await compact(cloud)
    assert await agree(cloud, encounter_id) == found


async def test_only_the_time_of_the_assignment_belongs_to_the_encounter(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(*seconds(gateway, 10))
    first = await assigned(cloud, from_us=NOW_US + 2 * SECOND_US, until_us=NOW_US + 4 * SECOND_US)
    second = await assigned(cloud, from_us=NOW_US + 4 * SECOND_US, until_us=NOW_US + 5 * SECOND_US)
    await assigned(cloud, from_us=NOW_US + 8 * SECOND_US, encounter_id=first)
    assert [shown["observed_at"][17:19] for shown in await agree(cloud, first)][:: len(CHANNELS)] == [
        *("02", "03", "08", "09")
    ]
    assert len(await agree(cloud, second)) == len(CHANNELS)


async def test_filters_select_device_code_component_and_time(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(
        gateway.send_sections([section(readings(*(float(90 + n) for n in range(10))))]),
        gateway.send_sections([section([one(PRESSURE, (120.0, 80.0), received_s=3.0)], device=CUFF)]),
        waves(gateway),
    )
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    devices = await cloud.device_ids()

    async def values(**wanted: Any) -> list[Any]:
        return [shown["value"] for shown in await observations(cloud, encounter_id, Wanted(**wanted))]

    pressure = {"MDC_PRESS_BLD_NONINV_SYS": 120.0, "MDC_PRESS_BLD_NONINV_DIA": 80.0}
    assert await values(device_id=devices[CUFF.system_id]) == [pressure]
    assert await values(codes=frozenset({"MDC_PRESS_BLD_NONINV_DIA"})) == [pressure]
    assert await values(codes=frozenset({"MDC_PULS_OXIM_SAT_O2"})) == [float(90 + n) for n in range(10)]
    assert await values(codes=frozenset({"MDC_TEMP_BODY"})) == []
    assert await values(since_us=NOW_US + 3 * SECOND_US, until_us=NOW_US + 5 * SECOND_US) == [92.0, pressure, 93.0]
    assert await values(device_id="dev_absent") == []
    await compact(cloud)
    assert await values(codes=frozenset({"MDC_PRESS_BLD_NONINV"})) == [pressure]


async def test_rare_code_is_read_in_ranges_of_limited_size(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(encounter_walk, "SCAN_ROWS", 10)
    await cloud.take(*seconds(gateway, 60))
    rare = section([one(SPO2, 88.0, received_s=50.5)])
    await cloud.take(gateway.send_sections([section([one(PRESSURE, (1.0, 2.0), received_s=50.5)]), rare]))
    encounter_id = await assigned(cloud)
    found = await pages(cloud, encounter_id, Wanted(codes=frozenset({"MDC_PRESS_BLD_NONINV"})))
    assert [[shown["value"] for shown in page] for page in found if page] == [
        [{"MDC_PRESS_BLD_NONINV_SYS": 1.0, "MDC_PRESS_BLD_NONINV_DIA": 2.0}]
    ]
    assert len(found) > 1, "a page examines a limited number of rows, so the first pages are empty"


async def test_waveforms_in_rows_are_left_out(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send(97.0), waves(gateway), gateway.send(98.0))
    encounter_id = await assigned(cloud)
    assert [shown["value"] for shown in await agree(cloud, encounter_id)] == [97.0, 98.0]


async def test_encounter_of_another_tenant_organisation_or_clearance_is_unknown(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(97.0))
    encounter_id = await assigned(cloud)
    for viewer in (Viewer("ten_other", None), Viewer(TENANT, "org_other")):
        with pytest.raises(EncounterUnknown):
            await observations(cloud, encounter_id, viewer=viewer)
        with pytest.raises(EncounterUnknown):
            await anext(reading(cloud).stream(viewer, encounter_id, Wanted()))
    assert len(await observations(cloud, encounter_id, viewer=Viewer(TENANT, "org_test"))) == 1


async def test_stream_has_the_observations_of_all_pages(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(*seconds(gateway, 300), gateway.send(97.0, lane=Lane.NUMERIC))
    encounter_id = await assigned(cloud)
    parts = [part async for part in reading(cloud).stream(Viewer(TENANT, None), encounter_id, Wanted())]
    assert len(parts) > 1
    assert sum(len(part) for part in parts) == len(await observations(cloud, encounter_id)) == 1_201
