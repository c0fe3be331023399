"""Observation records are read from the store in order, filtered, and each with its position in the store."""

from dataclasses import replace
from pathlib import Path

from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceRef
from tests.builders.buffer_observations import OXIMETER, numerics, section, waveform
from tests.builders.buffer_store import QUICK, new_store, opened

CUFF = DeviceRef("00000000000000bb", "Invented Cuff")


async def test_observation_records_are_filtered_by_lane_and_device_and_start_time_and_limited_in_number(
    tmp_path: Path,
) -> None:
    async with opened(new_store(tmp_path)) as buffer:
        await buffer.append_sections([section(numerics(2, first=0.0, at_s=10.0) + waveform(1, at_s=10.0))])
        await buffer.append_sections([section(numerics(2, first=10.0, at_s=20.0), device=CUFF)])
        await buffer.append_sections([section(numerics(2, first=20.0, at_s=30.0))])

        async def values(**choice: object) -> list[object]:
            return [record.value async for record in buffer.records(**{"limit": 99, **choice})]  # type: ignore[arg-type]  # a test's shorthand

        assert await values() == [0.0, 1.0, 10.0, 11.0, 20.0, 21.0, None]
        assert await values(lane=Lane.WAVEFORM) == [None]
        assert await values(device=CUFF.system_id) == [10.0, 11.0]
        assert await values(device=OXIMETER.system_id, lane=Lane.NUMERIC) == [0.0, 1.0, 20.0, 21.0]
        assert await values(limit=3) == [0.0, 1.0, 10.0]
        assert await values(limit=0) == []
        since_us = 1_699_999_000_000_000 + 20_000_000
        assert await values(since_us=since_us, lane=Lane.NUMERIC) == [10.0, 11.0, 20.0, 21.0]


async def test_observation_record_read_from_the_store_has_its_epoch_and_lane_and_sequence_and_index(
    tmp_path: Path,
) -> None:
    async with opened(new_store(tmp_path), settings=replace(QUICK, block_observations_max=3)) as buffer:
        await buffer.append_sections([section(numerics(5))])
        places = [
            (record.epoch, record.lane, record.sequence, record.index) async for record in buffer.records(limit=9)
        ]
        numeric = (buffer.epoch, Lane.NUMERIC)
    assert places == [(*numeric, 1, 0), (*numeric, 1, 1), (*numeric, 1, 2), (*numeric, 2, 0), (*numeric, 2, 1)]


async def test_observation_records_of_many_pages_are_returned_in_order(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path), settings=replace(QUICK, block_observations_max=1)) as buffer:
        await buffer.append_sections([section(numerics(100))])
        assert [record.value async for record in buffer.records(limit=1000)] == [float(n) for n in range(100)]
