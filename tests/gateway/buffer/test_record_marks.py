"""The number of the last record fetched from a Bluetooth device is stored in one commit with the fetched records."""

from pathlib import Path

import pytest

from gateway.buffer import StoreFull
from gateway.buffer.record_marks import STORES_MAX, FetchedRecords
from tests.builders.buffer_observations import numerics, section, waveform
from tests.builders.buffer_store import QUICK, new_store, opened
from tests.builders.gateway_sessions import small_store

METER = "00000000000000aa"
GLUCOSE, CGM = 0x1808, 0x181F


async def test_last_fetched_record_number_is_stored_with_its_records_and_survives_a_restart(tmp_path: Path):
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.append_sections([section(numerics(2))], records=FetchedRecords(METER, GLUCOSE, b"", 7))
        await buffer.append_sections([section(numerics(1))], records=FetchedRecords(METER, GLUCOSE, b"", 8))
        await buffer.append_sections([], records=FetchedRecords(METER, CGM, b"start", 30))
    async with opened(path) as buffer:
        assert await buffer.fetched_records() == [
            FetchedRecords(METER, GLUCOSE, b"", 8),
            FetchedRecords(METER, CGM, b"start", 30),
        ]


async def test_stored_last_fetched_record_number_is_deleted_by_an_append_without_a_record_number(tmp_path: Path):
    async with opened(new_store(tmp_path)) as buffer:
        await buffer.append_sections([], records=FetchedRecords(METER, GLUCOSE, b"", 7))
        await buffer.append_sections([section(numerics(1))], records=FetchedRecords(METER, GLUCOSE, b"", None))
        assert await buffer.fetched_records() == []


async def test_records_rejected_by_a_full_store_leave_the_last_fetched_record_number_unchanged(tmp_path: Path):
    async with opened(new_store(tmp_path), settings=small_store(1 << 20)) as buffer:
        await buffer.append_sections([], records=FetchedRecords(METER, GLUCOSE, b"", 7))
        taken = [7]

        async def fill() -> None:
            for number in range(8, 1000):
                mark = FetchedRecords(METER, GLUCOSE, b"", number)
                await buffer.append_sections([section(waveform(4, samples=20_000))], held_by_device=True, records=mark)
                taken.append(number)

        with pytest.raises(StoreFull):
            await fill()
        assert await buffer.fetched_records() == [FetchedRecords(METER, GLUCOSE, b"", taken[-1])]


async def test_number_of_devices_with_a_stored_last_fetched_record_number_is_limited(tmp_path: Path):
    async with opened(new_store(tmp_path), settings=QUICK) as buffer:
        for number in range(STORES_MAX + 3):
            await buffer.append_sections([], records=FetchedRecords(f"{number:016x}", GLUCOSE, b"", number))
        kept = await buffer.fetched_records()
    assert len(kept) == STORES_MAX
