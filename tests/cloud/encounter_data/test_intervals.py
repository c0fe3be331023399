"""Summaries by interval equal those that are computed from the values themselves, on every page size."""

from collections import defaultdict
from typing import Any

import pytest

from cloud.clinical.encounter_data import observations as observations_module
from cloud.clinical.encounter_data.selection import Wanted
from cloud.foundation.db import Database
from protocols.observation import Special
from tests.builders.encounter_reading import assigned, intervals, observations, reading
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, SPO2, GatewayInVehicle, section
from tests.builders.ingest_kinds import CUFF, PRESSURE, every_kind, one
from tests.builders.minute_rows import compact, seconds

SECOND_US = 1_000_000


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


async def recomputed(cloud: CloudUnderTest, encounter_id: str, interval_s: int) -> dict[tuple[str, str, str], Any]:
    """Return (count, least, mean, greatest, last) of each beginning, device and code, from the plain observations whose
    values are numbers."""
    values: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    for shown in await observations(cloud, encounter_id):
        minute, second = int(shown["observed_at"][14:16]), int(shown["observed_at"][17:19])
        begin_s = (minute * 60 + second) // interval_s * interval_s
        begin = f"{shown['observed_at'][:14]}{begin_s // 60:02}:{begin_s % 60:02}.000000Z"
        values[begin, shown["device_id"], shown["mdc_code"]].append(shown["value"])
    return {
        key: (len(own), min(own), pytest.approx(sum(own) / len(own)), max(own), own[-1]) for key, own in values.items()
    }


@pytest.mark.parametrize(("interval_s", "limit"), [(10, 1), (10, 1_000), (60, 7)])
async def test_summaries_equal_those_of_the_plain_values(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, interval_s: int, limit: int
):
    await cloud.take(*seconds(gateway, 90))
    await compact(cloud)
    await cloud.take(*seconds(gateway, 31, first=90))
    encounter_id = await assigned(cloud)
    found = await intervals(cloud, encounter_id, interval_s, limit=limit)
    expected = await recomputed(cloud, encounter_id, interval_s)
    shown = {
        (one["from"], one["device_id"], one["mdc_code"]): tuple(
            one[name] for name in ("count", "min", "mean", "max", "last")
        )
        for one in found
    }
    assert shown == expected
    assert len(found) == len(expected)
    assert [one["from"] for one in found] == sorted(one["from"] for one in found)


async def test_components_are_series_and_unusable_values_are_counted(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    at = {"received_s": 5.25}
    oximeter = [
        *(one(SPO2, value, **at) for value in (97.0, Special.NAN, 980.0, 99.0)),
        one(SPO2, 50.0, status=0x8000, **at),
        one(SPO2, 96.0, status=0x4000, **at),
    ]
    cuff = [one(PRESSURE, (120.0, Special.NRES), **at), one(PRESSURE, (130.0, 80.0), **at)]
    await cloud.take(gateway.send_sections([section(oximeter), section(cuff, device=CUFF)]))
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    found = {shown["mdc_code"]: shown for shown in await intervals(cloud, encounter_id, 60)}
    names = ("count", "min", "mean", "max", "last", "left_out")
    assert {code: tuple(shown[name] for name in names) for code, shown in found.items()} == {
        "MDC_PULS_OXIM_SAT_O2": (3, 96.0, pytest.approx(292 / 3), 99.0, 96.0, 3),
        "MDC_PRESS_BLD_NONINV_SYS": (2, 120.0, 125.0, 130.0, 130.0, 0),
        "MDC_PRESS_BLD_NONINV_DIA": (1, 80.0, 80.0, 80.0, 80.0, 1),
    }
    only = await intervals(cloud, encounter_id, 60, Wanted(codes=frozenset({"MDC_PRESS_BLD_NONINV_DIA"})))
    assert [shown["mdc_code"] for shown in only] == ["MDC_PRESS_BLD_NONINV_DIA"]


async def test_enumerations_have_no_summary(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send_sections(every_kind()))
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    assert "MDC_ECG_HEART_RATE" not in {shown["mdc_code"] for shown in await intervals(cloud, encounter_id, 60)}


async def test_page_ends_at_an_interval_after_the_limit_of_read_values(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    await cloud.take(*seconds(gateway, 300))
    encounter_id = await assigned(cloud)
    whole = await intervals(cloud, encounter_id, 10)
    monkeypatch.setattr(observations_module, "SCANNED_MAX", 1)
    monkeypatch.setattr(observations_module, "PART_ROWS", 100)
    first = await reading(cloud).interval_page(OPERATOR, encounter_id, Wanted(), interval_s=10, after=None, limit=1_000)
    assert 0 < len(first.lines) < len(whole)
    assert await intervals(cloud, encounter_id, 10) == whole
    streamed = reading(cloud).interval_stream(OPERATOR, encounter_id, Wanted(), interval_s=10)
    assert sum([len(part) async for part in streamed]) == len(whole)


async def test_interval_that_the_filter_cuts_has_the_selected_values_only(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(*seconds(gateway, 30))
    encounter_id = await assigned(cloud)
    wanted = Wanted(since_us=NOW_US + 5 * SECOND_US, until_us=NOW_US + 12 * SECOND_US)
    assert [shown["count"] for shown in await intervals(cloud, encounter_id, 10, wanted, limit=1)] == [
        *[5] * 4,
        *[2] * 4,
    ]
