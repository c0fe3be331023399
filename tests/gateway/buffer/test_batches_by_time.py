"""Batches of numerics and waveforms take observations for a second; what a caller waits for is durable at once."""

import asyncio
import shutil
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import Buffer, BufferSettings, BufferUnusable, StoreFull, blocks
from gateway.buffer.errors import Trouble
from gateway.buffer.high_water import HighWater, MarksFile, marks_path
from gateway.buffer.losses import Loss
from gateway.buffer.store import Store
from protocols.errors import LocalProtocolError
from protocols.observation import Observation
from protocols.provenance.hash_chain import Intact
from protocols.uplink.envelope import BatchKind
from protocols.uplink.gaps import GapReason, decode_gap
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import decode_block
from protocols.uplink.status import StoreState
from tests.builders.buffer_observations import (
    PULSE_RATE,
    alarm,
    connected,
    noisy_numerics,
    numerics,
    section,
    waveform,
)
from tests.builders.buffer_store import QUICK, acked, new_store, opened, whole_lane
from tests.gateway.buffer.test_chain import verdict
from tests.harness.moved_clock import MovedClock

BY_TIME = replace(QUICK, batch_s=1.0, tidy_interval_s=3600.0)
IN_ALARM = 0x0002


async def numbers(buffer: Buffer, lane: Lane = Lane.NUMERIC) -> list[list[float]]:
    """Return the values of each batch of a lane that can be sent."""
    return [
        [o.value for part in decode_block(batch.payload) for o in part.observations if isinstance(o.value, float)]
        for batch in await whole_lane(buffer, lane)
    ]


async def let_pass(clock: MovedClock, buffer: Buffer, seconds: float) -> None:
    """Move the clock, and let the writer notice it."""
    await clock.advance(seconds)
    await buffer.append_event(connected())


def crashed(path: Path, name: str) -> Path:
    """Return a copy of a store as a power cut would leave it now."""
    copy = path.parent / name / path.name
    copy.parent.mkdir()
    for suffix in ("", "-wal", ".marks"):
        shutil.copyfile(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
    return copy


@contextmanager
def counted_commits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Store]]:
    transaction, commits = Store.transaction, []

    def counting(self: Store, *, acks: bool = False):  # type: ignore[no-untyped-def]  # that of the store
        commits.append(self)
        return transaction(self, acks=acks)

    monkeypatch.setattr(Store, "transaction", counting)
    yield commits


async def test_durable_appends_of_one_second_are_one_batch(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(new_store(tmp_path), settings=BY_TIME, clock=clock) as buffer:
        for n in range(3):
            await buffer.append_sections([section(numerics(1, first=float(n)))])
            await clock.advance(0.2)
        assert await numbers(buffer) == []
        await let_pass(clock, buffer, 0.4)
        assert await numbers(buffer) == [[0.0, 1.0, 2.0]]
        assert isinstance(verdict(await whole_lane(buffer, Lane.NUMERIC), buffer.epoch, Lane.NUMERIC), Intact)


async def test_open_batch_is_durable_and_complete_after_a_power_cut(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path, settings=BY_TIME) as buffer:
        for n in range(2):
            await buffer.append_sections([section(numerics(1, first=float(n)) + waveform(1))])
            async with opened(crashed(path, f"cut-{n}")) as after:
                assert await numbers(after) == [[float(each) for each in range(n + 1)]]
                await after.append_sections([section(numerics(1, first=9.0))])
                batches = await whole_lane(after, Lane.NUMERIC)
                assert [batch.sequence for batch in batches] == [1, 2]
                assert isinstance(verdict(batches, after.epoch, Lane.NUMERIC), Intact)


async def test_older_copy_of_a_batch_that_has_grown_since_is_not_continued(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path, settings=BY_TIME) as buffer:
        await buffer.append_sections([section(numerics(1))])
        older = crashed(path, "older")
        await buffer.append_sections([section(numerics(1, first=1.0))])
        shutil.copyfile(marks_path(path), marks_path(older))
    with pytest.raises(BufferUnusable) as refusal:
        async with opened(older):
            pass
    assert refusal.value.trouble is Trouble.ROLLED_BACK


def test_marks_file_of_an_earlier_release_is_read(tmp_path: Path) -> None:
    packed = struct.pack(">4s16s8Q", b"ARGM", b"epoch", 4, 3, 0, 0, 9, 8, 7, 6)
    (tmp_path / "marks").write_bytes(packed + struct.pack(">I", zlib.crc32(packed)))
    marks = HighWater.read(tmp_path / "marks")
    assert marks is not None
    assert (marks.epoch, marks.last[Lane.NUMERIC], marks.acked[Lane.WAVEFORM], marks.observations) == (
        "epoch",
        9,
        6,
        {},
    )


def test_marks_file_that_an_earlier_release_has_written_over_is_read(tmp_path: Path) -> None:
    marks_file = MarksFile(tmp_path / "store")
    marks_file.write("epoch", dict.fromkeys(Lane, (1, 1, 1)))
    marks_file.close()
    packed = struct.pack(">4s16s8Q", b"ARGM", b"epoch", 4, 3, 0, 0, 9, 8, 7, 6)
    with marks_path(tmp_path / "store").open("r+b") as file:
        file.write(packed + struct.pack(">I", zlib.crc32(packed)))
    marks = HighWater.read(marks_path(tmp_path / "store"))
    assert marks is not None
    assert marks.last[Lane.NUMERIC] == 9


async def test_open_batch_that_the_limits_of_a_block_would_split_is_left_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(new_store(tmp_path), settings=BY_TIME) as buffer:
        for seed in (1, 2):
            await buffer.append_sections([section(noisy_numerics(20, seed=seed))])
        monkeypatch.setattr(blocks, "PAYLOAD_BYTES_MAX", 700)
        await buffer.append_sections([section(noisy_numerics(59, seed=3))])
        await buffer.append_sections([section(noisy_numerics(1, seed=4))])
        await buffer.flush()
        batches = await whole_lane(buffer, Lane.NUMERIC)
        assert [batch.count for batch in batches] == [40, 60]
        assert isinstance(verdict(batches, buffer.epoch, Lane.NUMERIC), Intact)


async def test_acknowledgement_of_an_open_batch_is_ignored(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path), settings=BY_TIME) as buffer:
        await buffer.append_sections([section(numerics(1))])
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 1))
        await buffer.append_event(connected())
        assert buffer.marks()[Lane.NUMERIC].acked == 0


async def test_live_observations_share_the_commit_of_the_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, clock = new_store(tmp_path), MovedClock()
    async with opened(path, settings=BY_TIME, clock=clock) as buffer:
        with counted_commits(monkeypatch) as commits:
            for n in range(8):
                await buffer.append_live([section(numerics(1, first=float(n)) + waveform(1))])
                await clock.advance(0.1)
            assert commits == []
            async with opened(crashed(path, "cut")) as after:
                assert await numbers(after) == [], "a power cut costs the live values of this second"
            commits.clear()
            await clock.advance(0.2)
            await buffer.flush()
            assert len(commits) == 1
        assert await numbers(buffer) == [[float(n) for n in range(8)]]
        assert [batch.count for batch in await whole_lane(buffer, Lane.WAVEFORM)] == [8]


async def test_durable_append_commits_the_earlier_live_observations_of_its_lane_before_it(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path), settings=BY_TIME) as buffer:
        await buffer.append_live([section(numerics(1, first=1.0) + waveform(1))])
        await buffer.append_sections([section(numerics(1, first=2.0))])
        await buffer.append_live([section(numerics(1, first=3.0))])
        await buffer.flush()
        assert await numbers(buffer) == [[1.0, 2.0, 3.0]]
        assert [batch.count for batch in await whole_lane(buffer, Lane.WAVEFORM)] == [1]


async def test_commit_shortly_before_the_cut_cuts_all_lanes(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(new_store(tmp_path), settings=BY_TIME, clock=clock) as buffer:
        await buffer.append_live([section(waveform(1))])
        await clock.advance(0.8)
        await buffer.append_sections([section(numerics(1, first=1.0))])
        assert await numbers(buffer) == [[1.0]]
        assert len(await whole_lane(buffer, Lane.WAVEFORM)) == 1


async def test_full_batch_is_cut_without_delay(tmp_path: Path) -> None:
    settings = replace(BY_TIME, block_observations_max=10)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        await buffer.append_live([section(numerics(6))])
        await buffer.append_live([section(numerics(6, first=6.0))])
        await buffer.append_event(connected())
        assert [len(values) for values in await numbers(buffer)] == [6, 6]


async def test_large_batch_takes_no_more_observations_after_its_commit(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path), settings=BY_TIME) as buffer:
        await buffer.append_sections([section(numerics(300))])
        await buffer.append_sections([section(waveform(1, samples=5000))])
        assert [len(values) for values in await numbers(buffer)] == [300]
        assert len(await whole_lane(buffer, Lane.WAVEFORM)) == 1


async def test_event_is_complete_at_once_and_leaves_the_other_lanes_open(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path), settings=BY_TIME) as buffer:
        await buffer.append_sections([section(numerics(1))])
        await buffer.append_event(connected())
        await buffer.append_live([section(alarm())])
        assert {lane: marks.last for lane, marks in buffer.marks().items() if marks.last} == {Lane.EVENT: 2}


async def test_channel_that_goes_into_alarm_cuts_all_lanes_at_once(tmp_path: Path) -> None:
    def beat(value: float, status: int) -> list[Observation]:
        return [Observation(PULSE_RATE, value, None, status, None, 1000.0)]

    async with opened(new_store(tmp_path), settings=BY_TIME) as buffer:
        await buffer.append_live([section(waveform(1))])
        await buffer.append_live([section(beat(180.0, IN_ALARM))])
        assert await numbers(buffer) == [[180.0]]
        assert len(await whole_lane(buffer, Lane.WAVEFORM)) == 1
        await buffer.append_live([section(beat(181.0, IN_ALARM))])
        await buffer.append_sections([section(beat(90.0, 0))])
        assert await numbers(buffer) == [[180.0]], "an alarm that lasts is cut by time"
        await buffer.append_sections([section(beat(182.0, IN_ALARM))])
        assert await numbers(buffer) == [[180.0], [181.0, 90.0, 182.0]]


async def test_closing_the_buffer_commits_and_completes_all_batches(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path, settings=BY_TIME) as buffer:
        await buffer.append_sections([section(numerics(1, first=1.0))])
        await buffer.append_live([section(numerics(1, first=2.0) + waveform(1))])
    async with opened(path, settings=BY_TIME) as buffer:
        assert await numbers(buffer) == [[1.0, 2.0]]
        assert len(await whole_lane(buffer, Lane.WAVEFORM)) == 1


async def test_gap_record_completes_the_open_batch_before_it(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path), settings=BY_TIME) as buffer:
        await buffer.append_sections([section(numerics(1))])
        await buffer.record_loss([Loss(Lane.NUMERIC, 3, 0, 0)])
        await buffer.append_sections([section(numerics(1, first=1.0))])
    async with opened(tmp_path / "buffer.db") as buffer:
        batches = await whole_lane(buffer, Lane.NUMERIC)
        assert [batch.kind for batch in batches] == [BatchKind.OBSERVATIONS, BatchKind.GAP, BatchKind.OBSERVATIONS]
        assert isinstance(verdict(batches, buffer.epoch, Lane.NUMERIC), Intact)


async def test_open_batch_is_not_dropped_when_the_store_exceeds_its_budget(tmp_path: Path) -> None:
    settings = replace(BY_TIME, disk_budget_bytes=1)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        await buffer.append_sections([section(numerics(1, first=1.0))])
        await buffer.flush()
        await buffer.append_sections([section(numerics(1, first=2.0))])
        await buffer.tidy()
        await buffer.append_sections([section(numerics(1, first=3.0))])
        await buffer.flush()
        batches = await whole_lane(buffer, Lane.NUMERIC)
        assert decode_gap(batches[0].payload).through_sequence == 1
        assert batches[1].count == 2


async def test_unsent_batch_has_no_mark_until_it_is_complete(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path), settings=BY_TIME) as buffer:
        await buffer.append_sections([section(numerics(1))])
        marks = buffer.marks()[Lane.NUMERIC]
        assert (marks.first, marks.last, marks.backlog_batches, marks.backlog_observations) == (0, 0, 0, 1)
        await buffer.flush()
        marks = buffer.marks()[Lane.NUMERIC]
        assert (marks.first, marks.last, marks.backlog_batches) == (1, 1, 1)


async def test_live_observations_that_find_a_full_disk_at_the_cut_are_counted_as_lost(tmp_path: Path) -> None:
    settings = replace(BY_TIME, file_bytes_max=1 << 20)
    clock = MovedClock()
    async with opened(new_store(tmp_path), settings=settings, clock=clock) as buffer:
        await buffer.append_live([section(waveform(3))])
        with suppress(StoreFull):
            while buffer.store_state is StoreState.OK:
                await buffer.append_sections([section(noisy_numerics(4000))], held_by_device=True)
        with pytest.raises(StoreFull):
            await buffer.append_live([section(waveform(2))])
        await let_pass(clock, buffer, 1.0)
        lost = [found for found in await buffer.gaps() if found.lane is Lane.WAVEFORM]
        assert [(found.gap.why, found.gap.observations) for found in lost] == [(GapReason.STORE_FULL, 5)]


async def test_live_value_that_the_record_format_cannot_represent_is_refused_at_once(tmp_path: Path) -> None:
    impossible = [Observation(PULSE_RATE, float("inf"), None, 0, None, 1000.0)]
    async with opened(new_store(tmp_path), settings=BY_TIME) as buffer:
        with pytest.raises(LocalProtocolError):
            await buffer.append_live([section(impossible)])
        await buffer.append_live([section(numerics(1, first=1.0))])
        await buffer.flush()
        assert await numbers(buffer) == [[1.0]]


async def test_held_observations_occupy_the_queue_until_their_commit(tmp_path: Path) -> None:
    settings = replace(BY_TIME, queue_observations_max=4)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        await buffer.append_live([section(numerics(3))])
        blocked = asyncio.create_task(buffer.append_live([section(numerics(3, first=3.0))]))
        await MovedClock.settle()
        assert not blocked.done()
        await buffer.flush()
        await blocked


async def test_acknowledgements_are_written_with_a_commit_every_ten_seconds(tmp_path: Path) -> None:
    clock, path = MovedClock(), new_store(tmp_path)

    def stored() -> list[tuple[int, int]]:
        with sqlite3.connect(path) as connection:
            return connection.execute("SELECT lane, acked FROM lanes").fetchall()

    async with opened(path, settings=QUICK, clock=clock) as buffer:
        await buffer.append_sections([section(numerics(1))])
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 1))
        await let_pass(clock, buffer, 9.0)
        assert stored() == []
        await let_pass(clock, buffer, 1.0)
        assert stored() == [(2, 1)]


def test_default_settings_bound_what_a_power_cut_can_cost_to_one_second() -> None:
    assert BufferSettings().batch_s == 1.0
