"""The samples of an encounter are those of the export, from packed objects and from rows, and gaps stay gaps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloud.clinical.encounter_data import waveform_envelope
from cloud.clinical.encounter_data.selection import Wanted
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, ObjectDamaged
from protocols.ieee11073.nomenclature import Code
from protocols.observation import Channel
from tests.builders.encounter_reading import HOUR_US, assigned, blocks, envelope
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, PLETH, GatewayInVehicle
from tests.builders.ingest_kinds import CUFF
from tests.builders.minute_rows import exported
from tests.builders.recorded_day import LEADS, QUARTER_S, CountingObjects, record_day
from tests.builders.waveforms import block, many_waves, waves
from tests.cloud.observations.test_clocks import learnt
from tests.cloud.observations.test_packed_waveforms import mixed

SECOND_US = 1_000_000
SHARED = ("observed_at", "uncertainty_ms", "slope", "offset", "sample_period_s", "samples", "status", "flags", "handle")


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, tmp_path: Path) -> CloudUnderTest:
    return await CloudUnderTest(database, objects=CountingObjects(tmp_path / "objects")).register(gateway)


async def agree(cloud: CloudUnderTest, encounter_id: str, **options: Any) -> list[dict[str, Any]]:
    """Check that the blocks of the encounter are the waveforms that the export assigns to it; return them."""
    export = await exported(cloud, objects=cloud.objects)
    expected = [one for one in export if one["encounter_id"] == encounter_id and one["samples"] is not None]
    found = [shown for page in await blocks(cloud, encounter_id, **options) for shown in page]

    def facts(documents: list[dict[str, Any]], code: str) -> list[Any]:
        kept = [{"code": one[code], **{name: one[name] for name in SHARED}} for one in documents]
        return sorted(kept, key=repr)

    assert facts(found, "mdc_code") == facts(expected, "type")
    times = [shown["observed_at"] for shown in found]
    assert times == sorted(times)
    return found


async def in_rows(database: Database) -> tuple[CloudUnderTest, GatewayInVehicle]:
    """Return a cloud that stores waveforms in rows, as releases before the object store did, with its own gateway."""
    gateway = GatewayInVehicle(gateway="gw_rows", key_seed=2)
    cloud = CloudUnderTest(database)
    await cloud.register_gateway(gateway)
    return cloud, gateway


@pytest.mark.parametrize("limit", [1, 4, 1_000])
async def test_samples_in_objects_and_in_rows_are_those_of_the_export(
    database: Database, cloud: CloudUnderTest, gateway: GatewayInVehicle, limit: int
):
    await cloud.take(*mixed(gateway))
    rows, second = await in_rows(database)
    await rows.take(*mixed(second))
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    assert len(await agree(cloud, encounter_id, limit=limit)) == 14


async def test_times_of_an_unsynchronised_gateway_decide_the_encounter_once_they_are_known(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    late_us = 300 * 24 * HOUR_US
    early = [block(number, at_s=float(number)) for number in range(1, 5)]
    await cloud.take(waves(gateway, *early, synchronised=False, wall_offset_us=NOW_US - late_us))
    encounter_id = await assigned(cloud, from_us=NOW_US + 2 * SECOND_US, until_us=NOW_US + 4 * SECOND_US)
    assert await agree(cloud, encounter_id) == []
    await cloud.take(learnt(gateway))
    assert [shown["samples"] for shown in await agree(cloud, encounter_id)] == [[2], [3]]
    (page,) = await envelope(cloud, encounter_id, 10)
    assert [(line["min"], line["max"]) for line in page] == [([2, 3], [2, 3])]


async def test_block_after_a_gap_does_not_follow_the_block_before_it(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(
        waves(gateway, block(1, 2, at_s=1.0), block(3, 4, at_s=1.02), block(5, 6, at_s=1.5), block(7, at_s=1.52))
    )
    encounter_id = await assigned(cloud)
    assert [shown["follows"] for shown in await agree(cloud, encounter_id)] == [None, True, False, True]


async def test_filters_select_device_channel_and_time(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    other = Channel(handle=10, type=Code(2, 258), unit=Code(4, 4274), array=PLETH.array)
    await cloud.take(
        waves(gateway, block(1, at_s=1.0), block(2, at_s=2.0, channel=other), block(3, at_s=3.0)),
        waves(gateway, block(4, at_s=2.5), device=CUFF),
    )
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    devices = await cloud.device_ids()

    async def samples(**wanted: Any) -> list[int]:
        return [
            each
            for page in await blocks(cloud, encounter_id, Wanted(**wanted))
            for one in page
            for each in one["samples"]
        ]

    assert await samples() == [1, 2, 4, 3]
    assert await samples(device_id=devices[CUFF.system_id]) == [4]
    code = next(
        one["mdc_code"] for (page) in await blocks(cloud, encounter_id) for one in page if one["samples"] == [2]
    )
    assert await samples(codes=frozenset({code})) == [2]
    assert await samples(since_us=NOW_US + 2 * SECOND_US, until_us=NOW_US + 3 * SECOND_US) == [2, 4]


async def test_envelope_has_the_least_and_greatest_sample_of_each_interval_and_null_for_a_gap(
    database: Database, cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = [*many_waves(gateway, 40), *many_waves(gateway, 40, first_s=71.0)]
    for begin in range(0, 80, 20):
        await cloud.take(*sent[begin : begin + 20])
    encounter_id = await assigned(cloud)
    for points, interval_s in ((200, 1), (12, 15), (3, 60)):
        (page,) = await envelope(cloud, encounter_id, points)
        (line,) = page
        assert line["interval_s"] == interval_s
        assert len(line["min"]) == len(line["max"]) <= points
        expected: dict[int, list[int]] = {}
        for shown in await agree(cloud, encounter_id):
            at_s = int(shown["observed_at"][14:16]) * 60 + int(shown["observed_at"][17:19])
            expected.setdefault(at_s // interval_s, []).extend(shown["samples"])
        begin_s = int(line["from"][14:16]) * 60 + int(line["from"][17:19])
        found = {
            begin_s // interval_s + place: (least, greatest)
            for place, (least, greatest) in enumerate(zip(line["min"], line["max"], strict=True))
            if least is not None
        }
        assert found == {place: (min(samples), max(samples)) for place, samples in expected.items()}
    rows, second = await in_rows(database)
    await rows.take(*many_waves(second, 40), *many_waves(second, 40, first_s=71.0))
    both = await envelope(cloud, encounter_id, 12)
    (line,) = (await envelope(cloud, encounter_id, 12, Wanted()))[0]
    assert [page[0]["min"] for page in both] == [line["min"]]


async def test_envelope_has_no_second_that_is_partly_outside_the_assignment(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(*many_waves(gateway, 10))
    half_us = SECOND_US // 2
    encounter_id = await assigned(
        cloud, from_us=NOW_US + 3 * SECOND_US - half_us, until_us=NOW_US + 6 * SECOND_US + half_us
    )
    for points in (100, 1):
        ((line,),) = await envelope(cloud, encounter_id, points)
        assert (max(filter(None, line["max"])), min(filter(None, line["min"]))) == (4, -4)


async def test_envelope_of_a_day_of_twelve_leads_reads_only_the_indexes_of_its_objects(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    places = await record_day(cloud, gateway)
    encounter_id = await assigned(cloud, from_us=NOW_US, until_us=NOW_US + 24 * HOUR_US)
    objects = cloud.objects
    assert isinstance(objects, CountingObjects)
    objects.ranges.clear()
    pages = await envelope(cloud, encounter_id, 1_000, Wanted(codes=None))
    assert len(pages) == 1
    ecg = [line for line in pages[0] if line["handle"] != PLETH.handle]
    assert len(ecg) == LEADS
    for line in ecg:
        assert line["interval_s"] == 120
        assert line["max"] == [line["handle"] - 20] * 720
        assert line["min"] == [-max((place * 120 + second) % 1_000 for second in range(120)) for place in range(720)]
    day = [one for one in objects.ranges if one[0] in places]
    assert len(day) == 2 * len(places), "a trailer and an index of each object"
    assert all(first >= places[name] for name, first, _ in day), "no byte of an envelope is read"


async def test_envelope_of_many_objects_is_read_in_pages(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    await record_day(cloud, gateway, quarters=8)
    encounter_id = await assigned(cloud, from_us=NOW_US)
    wanted = Wanted(until_us=NOW_US + 8 * QUARTER_S * SECOND_US)
    (whole,) = await envelope(cloud, encounter_id, 100, wanted)
    monkeypatch.setattr(waveform_envelope, "RUNS_MAX", 7)
    pages = await envelope(cloud, encounter_id, 100, wanted)
    assert len(pages) > 3
    for line in whole:
        joined = [each for page in pages for one in page if one["handle"] == line["handle"] for each in one["min"]]
        if line["handle"] != PLETH.handle:
            assert joined == line["min"]


async def test_envelope_does_not_mix_a_device_with_one_that_only_claims_its_id(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    """The index of an object does not distinguish the two, so the samples are read. They are two sources of one
    device, and both belong to the encounter; the least and greatest values are those of the samples."""
    claimed = replace(OXIMETER, unverified_link=True)
    await cloud.take(
        waves(gateway, block(1, 2, at_s=1.0)),
        waves(gateway, block(900, at_s=1.5), device=claimed),
        waves(gateway, block(3, at_s=2.0)),
    )
    encounter_id = await assigned(cloud)
    ((line,),) = await envelope(cloud, encounter_id, 100)
    by_second: dict[str, list[int]] = {}
    for shown in await agree(cloud, encounter_id):
        by_second.setdefault(shown["observed_at"][:19], []).extend(shown["samples"])
    assert line["max"] == [max(samples) for samples in by_second.values()]


async def test_damaged_object_is_an_error_and_not_a_gap(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    places = await record_day(cloud, gateway, quarters=1)
    encounter_id = await assigned(cloud, from_us=NOW_US + 2 * SECOND_US, until_us=NOW_US + HOUR_US)
    with pytest.raises(ObjectDamaged):
        await blocks(cloud, encounter_id)
    assert isinstance(cloud.objects, LocalObjects)
    (name,) = places
    await cloud.objects.remove(name)
    await cloud.objects.put(name, b"\0" * 1_000)
    with pytest.raises(ObjectDamaged):
        await envelope(cloud, encounter_id, 10)


async def test_encounter_without_waveforms_has_no_envelope(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send(97.0))
    encounter_id = await assigned(cloud)
    assert await envelope(cloud, encounter_id, 10) == await blocks(cloud, encounter_id) == [[]]
