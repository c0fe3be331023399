"""The progress of fetching a device's PM-store is stored in one commit with the fetched entries.

The number of segments with stored progress is limited.
"""

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import StoreFull, segments
from gateway.buffer.segments import FetchedSegment
from protocols.errors import ProtocolError
from protocols.ieee11073.association.fetched_segments import SegmentKey, SegmentProgress
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import noisy_numerics, numerics, section
from tests.builders.buffer_store import QUICK, new_store, opened

DATABASES = Path(__file__).parents[2] / "databases"
DEVICE = bytes.fromhex("00000000000000aa")


def fetched(segment: int = 1, through: int = 2, state: bytes = b"") -> FetchedSegment:
    return FetchedSegment(SegmentKey(DEVICE, 9, segment), SegmentProgress(b"identity", through, state))


async def test_segment_fetch_progress_is_stored_with_its_entries_and_survives_a_restart(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.append_sections([section(numerics(2))], held_by_device=True, fetched=fetched(through=2))
        await buffer.append_sections([section(numerics(3))], held_by_device=True, fetched=fetched(through=5))
        await buffer.append_sections([], fetched=fetched(segment=2, through=0, state=b"all of it"))
    async with opened(path) as buffer:
        assert await buffer.fetched_segments() == [fetched(through=5), fetched(2, 0, b"all of it")]
        assert buffer.marks()[Lane.NUMERIC].last == 2
        await buffer.forget_segments([SegmentKey(DEVICE, 9, 1), SegmentKey(DEVICE, 9, 77)])
        assert await buffer.fetched_segments() == [fetched(2, 0, b"all of it")]


async def test_segment_fetch_progress_is_not_stored_when_the_entries_cannot_be_encoded(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path)) as buffer:
        nan = numerics(1, first=float("nan"))  # no Special: the record has no form for it
        with pytest.raises(ProtocolError):
            await buffer.append_sections([section(nan)], held_by_device=True, fetched=fetched())
        assert await buffer.fetched_segments() == []


async def test_segment_fetch_progress_on_a_full_disk_ends_at_the_last_stored_entry(tmp_path: Path) -> None:
    noise = noisy_numerics(4000)
    settings = replace(QUICK, file_bytes_max=2 << 20, tidy_interval_s=3600.0)
    path = new_store(tmp_path)
    async with opened(path, settings=settings) as buffer:
        stored = 0
        with suppress(StoreFull):
            while stored < 1000:
                row = fetched(through=(stored + 1) * 4000)
                await buffer.append_sections([section(noise)], held_by_device=True, fetched=row)
                stored += 1
        assert stored < 1000, "the disk never became full"
        assert await buffer.fetched_segments() == [fetched(through=stored * 4000)]
    async with opened(path) as buffer:
        assert await buffer.fetched_segments() == [fetched(through=stored * 4000)]
        assert buffer.marks()[Lane.NUMERIC].last == stored > 0


async def test_number_of_segments_with_stored_fetch_progress_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "SEGMENTS_MAX", 3)
    async with opened(new_store(tmp_path)) as buffer:
        for number in range(1, 6):
            await buffer.append_sections([], fetched=fetched(number))
        assert len(await buffer.fetched_segments()) == 3


async def test_segment_fetch_progress_can_be_stored_after_the_migration_of_an_older_store_file(tmp_path: Path) -> None:
    for form in (1, 2):
        path = Path(shutil.copy(DATABASES / f"buffer_v{form}.db", tmp_path))
        async with opened(path) as buffer:
            assert await buffer.fetched_segments() == []
            await buffer.append_sections([section(numerics(2))], held_by_device=True, fetched=fetched())
            assert await buffer.fetched_segments() == [fetched()]
