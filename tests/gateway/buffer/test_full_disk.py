"""On a full disk the store keeps events in reserved space and counts the lost values; it recovers
when space is free."""

import asyncio
import os
import sqlite3
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import Buffer, StoreFull
from gateway.buffer import losses as loss_records
from gateway.buffer.blocks import blocks_of
from gateway.buffer.losses import Loss
from gateway.buffer.rows import position_of
from gateway.buffer.store import Store
from protocols.provenance.hash_chain import Intact
from protocols.uplink.envelope import BatchKind
from protocols.uplink.events import decode_event
from protocols.uplink.gaps import Gap, GapReason, decode_gap
from protocols.uplink.lanes import Lane
from protocols.uplink.status import StoreState
from tests.builders.buffer_observations import alarm, connected, noisy_numerics, numerics, section, waveform
from tests.builders.buffer_store import QUICK, acked, new_store, opened, whole_lane
from tests.gateway.buffer.test_chain import verdict
from tests.harness.buffer_small_disk import Kind, ballast, small_disk
from tests.harness.moved_clock import MovedClock

NOISE = noisy_numerics(4000)
"""Values of about 32 kB on the disk."""

SLOW_TIDY = replace(QUICK, tidy_interval_s=3600.0)
ON_DISK = replace(SLOW_TIDY, reserve_bytes=8 << 20)


def harm(path: Path, lane: Lane, sequence: int) -> None:
    """Damage the row of one batch: overwrite its nonce with zeros."""
    connection = sqlite3.connect(path)
    connection.execute("UPDATE batches SET nonce = zeroblob(24) WHERE position = ?", (position_of(lane, sequence),))
    connection.commit()
    connection.close()


async def append_until_full(buffer: Buffer, *, commits_max: int = 4000) -> int:
    """Append numeric values until the store is full; return the number of appends that the store accepted."""
    for n in range(commits_max):
        try:
            await buffer.append_sections([section(NOISE)])
        except StoreFull:
            return n
    raise AssertionError("the disk never became full")


async def events_until_full(buffer: Buffer) -> int:
    """Append events until the reserved space is full too; return the number of events that the store accepted."""
    for n in range(5000):
        try:
            await buffer.append_event(connected())
        except StoreFull:
            return n
    raise AssertionError("the reserve was never used up")


async def losses(buffer: Buffer) -> list[Gap]:
    return [found.gap for found in await buffer.gaps() if found.gap.why is GapReason.STORE_FULL]


async def names(buffer: Buffer) -> list[str]:
    batches = await whole_lane(buffer, Lane.EVENT)
    return [decode_event(batch.payload).name for batch in batches if batch.kind is BatchKind.EVENT]


async def check_whole(buffer: Buffer, lane: Lane) -> None:
    batches = await whole_lane(buffer, lane)
    assert isinstance(verdict(batches, buffer.epoch, lane), Intact)


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
async def test_store_on_a_full_disk_keeps_events_and_counts_lost_values(tmp_path: Path, kind: Kind) -> None:
    with small_disk(tmp_path / "disk", megabytes=36, kind=kind) as disk:
        path = new_store(disk)
        async with opened(path, settings=ON_DISK) as buffer:
            await buffer.append_sections([section(numerics(5))])
            filler = ballast(disk, leave_bytes=1 << 20)
            await append_until_full(buffer)
            assert buffer.store_state is StoreState.RESERVE
            lost_first = [gap.observations for gap in await losses(buffer)]
            assert lost_first == [4000], "the refused append is counted"

            for _ in range(200):
                await buffer.append_event(connected())
            with pytest.raises(StoreFull):
                await buffer.append_sections([section(numerics(3))])
            with pytest.raises(StoreFull):
                await buffer.append_sections([section(numerics(7))], held_by_device=True)
            with pytest.raises(StoreFull):
                await buffer.append_encoded(blocks_of([section(numerics(7))], ON_DISK))
            assert [gap.observations for gap in await losses(buffer)] == [4003], "what a device keeps is no loss"
            await buffer.tidy()
            assert buffer.store_state is StoreState.RESERVE, "the disk is still full"

            filler.unlink()
            os.sync()
            await buffer.tidy()
            assert buffer.store_state is StoreState.OK
            await buffer.append_sections([section(numerics(1, first=777.0))])
            found = await names(buffer)
            assert found.count("device.connected") == 200
            assert (found[0], found[-1]) == ("store.reserve_entered", "store.reserve_restored")
            for lane in (Lane.EVENT, Lane.NUMERIC):
                await check_whole(buffer, lane)
            gap = next(batch for batch in await whole_lane(buffer, Lane.NUMERIC) if batch.kind is BatchKind.GAP)
            assert decode_gap(gap.payload).observations == 4003


async def test_encoded_observations_that_fill_the_disk_are_refused_and_do_not_use_the_reserve(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=36, kind="tmpfs") as disk:
        async with opened(new_store(disk), settings=ON_DISK) as buffer:
            ballast(disk, leave_bytes=1 << 20)
            blocks, stored = blocks_of([section(NOISE)], ON_DISK), 0
            with suppress(StoreFull):
                while buffer.store_state is StoreState.OK:
                    await buffer.append_encoded(blocks)
                    stored += 1
                pytest.fail("the append that found the disk full was stored")
            assert buffer.store_state is StoreState.RESERVE
            assert buffer.marks()[Lane.NUMERIC].last == stored
            assert await losses(buffer) == [], "their caller keeps them"


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
async def test_events_are_stored_when_the_gateway_restarts_with_a_full_disk(tmp_path: Path, kind: Kind) -> None:
    with small_disk(tmp_path / "disk", megabytes=36, kind=kind) as disk:
        path = new_store(disk)
        async with opened(path, settings=ON_DISK) as buffer:
            await buffer.append_sections([section(numerics(5))])
        filler = ballast(disk)
        async with opened(path, settings=ON_DISK) as buffer:
            assert buffer.store_state is StoreState.RESERVE
            await buffer.append_event(connected())
            with pytest.raises(StoreFull):
                await buffer.append_sections([section(numerics(5))])
        async with opened(path, settings=ON_DISK) as buffer:
            filler.unlink()
            os.sync()
            await buffer.tidy()
            assert buffer.store_state is StoreState.OK
            assert "device.connected" in await names(buffer)
            assert sum(gap.observations for gap in await losses(buffer)) == 5
            await check_whole(buffer, Lane.NUMERIC)


async def test_store_that_filled_the_disk_removes_acknowledged_batches_and_shrinks(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=36) as disk:
        path = new_store(disk)
        async with opened(path, settings=ON_DISK) as buffer:
            await append_until_full(buffer)
            size = path.stat().st_size
            await buffer.acknowledge(acked(buffer, Lane.NUMERIC, buffer.marks()[Lane.NUMERIC].last))
            await buffer.flush()
            await buffer.tidy()
            assert buffer.store_state is StoreState.OK
            assert path.stat().st_size < size
            await buffer.append_sections([section(numerics(5))])
            await check_whole(buffer, Lane.NUMERIC)


async def test_store_file_at_its_size_limit_is_handled_as_a_full_disk(tmp_path: Path) -> None:
    settings = replace(SLOW_TIDY, file_bytes_max=3 << 20)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        await append_until_full(buffer)
        assert buffer.store_state is StoreState.RESERVE
        await buffer.append_event(connected())
        await buffer.tidy()
        assert buffer.store_state is StoreState.RESERVE, "undelivered numerics stay, new ones are refused"
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, buffer.marks()[Lane.NUMERIC].last))
        await buffer.flush()
        await buffer.tidy()
        assert buffer.store_state is StoreState.OK
        await buffer.append_sections([section(numerics(5))])
        assert [name for name in await names(buffer) if name.startswith("store.")] == [
            "store.reserve_entered",
            "store.reserve_restored",
        ]


async def test_old_waveforms_are_removed_to_store_new_numerics_at_the_file_size_limit(tmp_path: Path) -> None:
    settings = replace(SLOW_TIDY, file_bytes_max=3 << 20)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        while buffer.store_state is StoreState.OK:
            with suppress(StoreFull):
                await buffer.append_sections([section(waveform(1, samples=8000))])
        await buffer.tidy()
        assert buffer.store_state is StoreState.OK
        await buffer.append_sections([section(numerics(5))])
        assert {found.gap.why for found in await buffer.gaps()} == {GapReason.DISK_BUDGET, GapReason.STORE_FULL}
        await check_whole(buffer, Lane.WAVEFORM)


async def test_alarm_is_stored_in_the_reserved_space_when_the_disk_is_full(tmp_path: Path) -> None:
    settings = replace(SLOW_TIDY, file_bytes_max=1 << 20)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        await append_until_full(buffer)
        before = sum(gap.observations for gap in await losses(buffer))
        await buffer.append_sections([section(alarm())])
        with pytest.raises(StoreFull):
            await buffer.append_sections([section(alarm() + numerics(4) + waveform(2))])
        assert len([record async for record in buffer.records(lane=Lane.EVENT, limit=99)]) == 2
        assert sum(gap.observations for gap in await losses(buffer)) == before + 6


async def test_losses_more_than_one_minute_apart_are_counted_in_separate_loss_records(
    tmp_path: Path,
) -> None:
    clock = MovedClock()
    settings = replace(SLOW_TIDY, file_bytes_max=1 << 20)
    async with opened(new_store(tmp_path), settings=settings, clock=clock) as buffer:
        await append_until_full(buffer)
        last = buffer.marks()[Lane.NUMERIC].last
        assert last > 0
        assert await buffer.next_batches(Lane.NUMERIC, after=last, limit_batches=9, limit_bytes=9999) == []
        await clock.advance(61.0)
        await buffer.tidy()
        (sent,) = await buffer.next_batches(Lane.NUMERIC, after=last, limit_batches=9, limit_bytes=9999)
        with pytest.raises(StoreFull):
            await buffer.append_sections([section(numerics(4))])
        assert await buffer.next_batches(Lane.NUMERIC, after=last, limit_batches=9, limit_bytes=9999) == [sent]
        assert [gap.observations for gap in await losses(buffer)] == [decode_gap(sent.payload).observations, 4]


async def test_damaged_block_on_a_full_disk_does_not_stop_the_reading_of_later_batches(tmp_path: Path) -> None:
    settings = replace(SLOW_TIDY, file_bytes_max=1 << 20)
    path = new_store(tmp_path)
    async with opened(path, settings=settings) as buffer:
        await buffer.append_sections([section(numerics(5))])
        while buffer.store_state is StoreState.OK:
            with suppress(StoreFull):
                await buffer.append_sections([section(NOISE)])
    harm(path, Lane.NUMERIC, 1)
    async with opened(path, settings=replace(settings, file_bytes_max=path.stat().st_size)) as buffer:
        batches = await whole_lane(buffer, Lane.NUMERIC)
        assert decode_gap(batches[0].payload).why is GapReason.DAMAGED
        await check_whole(buffer, Lane.NUMERIC)


async def test_events_are_rejected_when_the_reserved_space_is_used_up(tmp_path: Path) -> None:
    settings = replace(SLOW_TIDY, file_bytes_max=512 << 10, reserve_bytes=64 << 10)
    path = new_store(tmp_path)
    async with opened(path, settings=settings) as buffer:
        await append_until_full(buffer)
        stored = await events_until_full(buffer)
        assert 100 < stored < 5000
        assert buffer.failure is None, "full is a state, not the end"
    async with opened(path, settings=replace(settings, file_bytes_max=None)) as buffer:
        assert (await names(buffer)).count("device.connected") == stored
        await check_whole(buffer, Lane.EVENT)
        await check_whole(buffer, Lane.NUMERIC)


@pytest.mark.finding("reliability-C")
async def test_stored_batches_are_kept_when_another_program_fills_the_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=48) as disk:
        path = new_store(disk)
        async with opened(path, settings=ON_DISK) as buffer:
            for _ in range(40):
                await buffer.append_sections([section(waveform(1, samples=8000))])
            filler = ballast(disk, leave_bytes=1 << 20)
            await append_until_full(buffer)
            await buffer.tidy()
            assert buffer.store_state is StoreState.RESERVE
            assert [found.gap.why for found in await buffer.gaps()] == [GapReason.STORE_FULL], "nothing was dropped"
            assert len(await whole_lane(buffer, Lane.WAVEFORM)) == 40
            filler.unlink()
            ballast(disk, leave_bytes=10 << 20)
            await buffer.tidy()
            await buffer.append_sections([section(numerics(5))])
            assert buffer.store_state is StoreState.OK, "ten megabytes are room"


@pytest.mark.finding("edge-C7")
async def test_stored_event_is_not_reported_lost_when_writing_the_loss_record_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(SLOW_TIDY, file_bytes_max=1 << 20, commit_interval_s=0.3)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        await append_until_full(buffer)
        counted = sum(gap.observations for gap in await losses(buffer))
        record, refusals = loss_records.record, [StoreFull("the reserve is used up")]

        def refuse_once(store: Store, lost: list[Loss]) -> None:
            if refusals:
                raise refusals.pop()
            record(store, lost)

        monkeypatch.setattr(loss_records, "record", refuse_once)
        event, numeric = await asyncio.gather(  # they share a commit, at the end of its interval
            buffer.append_event(connected()), buffer.append_sections([section(numerics(7))]), return_exceptions=True
        )
        assert event is None, "it is in the store"
        assert isinstance(numeric, StoreFull)
        assert (await names(buffer)).count("device.connected") == 1
        await buffer.append_event(connected())
        with pytest.raises(StoreFull):
            await buffer.append_sections([section(numerics(1))])
        assert sum(gap.observations for gap in await losses(buffer)) == counted + 8, "counted with the next chance"
