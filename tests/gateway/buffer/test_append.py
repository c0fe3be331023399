"""Appended values are durable when the call returns. They are stored in order, in few commits, and within limits."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import BufferClosed
from gateway.buffer.blocks import blocks_of
from protocols.errors import LocalProtocolError
from protocols.observation import Observation
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import decode_block
from tests.builders.buffer_observations import SATURATION, alarm, connected, numerics, section, waveform
from tests.builders.buffer_store import QUICK, new_store, opened, whole_lane


async def test_appended_observations_are_read_back_after_the_store_is_reopened(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.append_sections([section(numerics(5))])
    async with opened(path) as buffer:
        values = [record.value async for record in buffer.records(limit=100)]
    assert values == [0.0, 1.0, 2.0, 3.0, 4.0]


async def test_each_kind_of_observation_is_stored_in_its_own_lane(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path)) as buffer:
        await buffer.append_sections([section(alarm() + numerics(2) + waveform(3))])
        counts = {lane: [batch.count for batch in await whole_lane(buffer, lane)] for lane in Lane}
    assert counts == {Lane.EVENT: [1], Lane.EPCR: [], Lane.NUMERIC: [2], Lane.WAVEFORM: [3]}


async def test_encoded_observations_of_several_lanes_are_stored_in_one_transaction(tmp_path: Path) -> None:
    sections = [section(numerics(2) + waveform(3))]
    async with opened(new_store(tmp_path)) as buffer:
        commits = buffer.wait_for_commit()
        await buffer.append_encoded(blocks_of(sections, QUICK))
        assert commits.is_set()
        assert [buffer.marks()[lane].last for lane in Lane] == [0, 0, 1, 1]
        records = [(record.lane, record.value) async for record in buffer.records(limit=100)]
        stored = [*await whole_lane(buffer, Lane.NUMERIC), *await whole_lane(buffer, Lane.WAVEFORM)]
        await buffer.append_sections(sections)
        assert [batch.payload for batch in stored] == [
            (await whole_lane(buffer, lane))[1].payload for lane in (Lane.NUMERIC, Lane.WAVEFORM)
        ]
    assert [lane for lane, _ in records] == [Lane.NUMERIC] * 2 + [Lane.WAVEFORM] * 3


async def test_encoded_observations_are_refused_where_a_batch_may_stay_open(tmp_path: Path) -> None:
    settings = replace(QUICK, batch_s=1.0)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        with pytest.raises(ValueError, match="batch_s=0"):
            await buffer.append_encoded(blocks_of([section(numerics(1))], settings))


async def test_concurrent_appends_share_commits_and_keep_their_order(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path)) as buffer:
        await asyncio.gather(*(buffer.append_sections([section(numerics(2, first=10.0 * n))]) for n in range(50)))
        batches = await whole_lane(buffer, Lane.NUMERIC)
        values = [record.value async for record in buffer.records(limit=1000)]
    assert len(batches) < 10
    assert values == [10.0 * n + k for n in range(50) for k in range(2)]


async def test_large_append_is_split_into_several_batches(tmp_path: Path) -> None:
    settings = replace(QUICK, block_observations_max=100, block_samples_bytes_max=1000)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        await buffer.append_sections(
            [section(numerics(250)), section(numerics(30)), section(waveform(12, samples=100))]
        )
        numeric = await whole_lane(buffer, Lane.NUMERIC)
        curves = await whole_lane(buffer, Lane.WAVEFORM)
    assert [batch.count for batch in numeric] == [100, 100, 50, 30]
    assert [batch.count for batch in curves] == [5, 5, 2]


async def test_append_of_long_texts_is_split_until_each_batch_is_below_one_mebibyte(tmp_path: Path) -> None:
    # Texts that differ throughout do not compress: 120 of 32 kB are four packets, not one.
    texts = [bytes((n * 31 + k * k * 7) % 94 + 33 for k in range(32_000)).decode() for n in range(120)]
    said = [Observation(SATURATION, text, None, 0, None, 1000.0) for text in texts]
    async with opened(new_store(tmp_path)) as buffer:
        await buffer.append_sections([section(said)])
        batches = await whole_lane(buffer, Lane.NUMERIC)
    decoded = [o.value for batch in batches for part in decode_block(batch.payload) for o in part.observations]
    assert decoded == texts
    assert all(len(batch.payload) < 1 << 20 for batch in batches)


async def test_too_large_value_is_rejected_without_rejecting_concurrent_appends(tmp_path: Path) -> None:
    impossible = [Observation(SATURATION, float("inf"), None, 0, None, 1000.0)]
    async with opened(new_store(tmp_path)) as buffer:
        refused, *others = await asyncio.gather(
            buffer.append_sections([section(impossible)]),
            *(buffer.append_sections([section(numerics(1))]) for _ in range(3)),
            return_exceptions=True,
        )
        kept = [record.value async for record in buffer.records(limit=10)]
    assert isinstance(refused, LocalProtocolError)
    assert others == [None, None, None]
    assert kept == [0.0, 0.0, 0.0]


async def test_appends_wait_while_the_append_queue_is_full_and_are_all_stored(tmp_path: Path) -> None:
    settings = replace(QUICK, queue_observations_max=10)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        waiting = [
            asyncio.create_task(buffer.append_sections([section(numerics(4, first=10.0 * n))])) for n in range(30)
        ]
        giant = asyncio.create_task(buffer.append_sections([section(numerics(40, first=1000.0))]))
        await asyncio.gather(*waiting, giant)
        values = [record.value async for record in buffer.records(limit=1000)]
    assert values == [10.0 * n + k for n in range(30) for k in range(4)] + [1000.0 + k for k in range(40)]


async def test_cancelled_append_does_not_block_later_appends(tmp_path: Path) -> None:
    settings = replace(QUICK, queue_observations_max=4)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        waiting = [asyncio.create_task(buffer.append_sections([section(numerics(4))])) for _ in range(8)]
        await asyncio.sleep(0)
        for task in waiting[1:7]:
            task.cancel()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        await buffer.append_sections([section(numerics(1, first=77.0))])
        values = [record.value async for record in buffer.records(limit=1000)]
    assert answers[0] is None
    assert answers[7] is None
    assert values[-1] == 77.0


async def test_append_without_observations_commits_no_batch(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path)) as buffer:
        await buffer.append_sections([])
        await buffer.append_sections([section([])])
        assert {marks.last for marks in buffer.marks().values()} == {0}


async def test_closing_the_buffer_commits_queued_appends_and_rejects_later_appends(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        waiting = [
            asyncio.create_task(buffer.append_sections([section(numerics(1, first=float(n)))])) for n in range(20)
        ]
        await asyncio.sleep(0)
        await buffer.close()
        assert await asyncio.gather(*waiting) == [None] * 20
        with pytest.raises(BufferClosed):
            await buffer.append_sections([section(numerics(1))])
    async with opened(path) as buffer:
        values = [record.value async for record in buffer.records(limit=100)]
    assert values == [float(n) for n in range(20)]


async def test_every_task_that_waits_for_a_commit_is_woken_by_the_next_commit(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path)) as buffer:
        wakes = [buffer.wait_for_commit(), buffer.wait_for_commit()]
        await buffer.append_event(connected())
        assert [wake.is_set() for wake in wakes] == [True, True]
        wakes[0].clear()
        await buffer.append_event(connected())
        assert wakes[0].is_set()


async def test_live_observations_that_are_only_held_wake_no_task_that_waits_for_a_commit(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path), settings=replace(QUICK, batch_s=3600.0)) as buffer:
        wake = buffer.wait_for_commit()
        await buffer.append_live([section(numerics(1))])
        assert not wake.is_set()
        await buffer.flush()
        assert wake.is_set()


async def test_small_appends_of_ten_devices_share_one_commit_per_interval(tmp_path: Path) -> None:
    settings = replace(QUICK, commit_interval_s=0.05)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        await buffer.append_sections([section(numerics(1))])
        for burst in range(2):
            # A device with a window of one waits for each append before the next, but ten devices append concurrently.
            await asyncio.gather(
                *(buffer.append_sections([section(numerics(1, first=burst * 10.0 + n))]) for n in range(10))
            )
        batches = await whole_lane(buffer, Lane.NUMERIC)
    assert [batch.count for batch in batches] == [1, 10, 10]
