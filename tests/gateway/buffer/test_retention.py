"""Retention of batches: the batches that it deletes, their order, and its report of deleted unacknowledged batches."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.buffer import Buffer, BufferSettings, LaneGap
from protocols.provenance.hash_chain import Intact
from protocols.uplink.envelope import BatchKind
from protocols.uplink.gaps import GapReason, decode_gap
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import connected, numerics, section, waveform
from tests.builders.buffer_store import QUICK, acked, new_store, opened, whole_lane
from tests.gateway.buffer.test_chain import verdict
from tests.harness.moved_clock import MovedClock

HOUR_S = 3600.0
TIGHT = replace(QUICK, disk_budget_bytes=600_000, tidy_interval_s=3600.0)
"""Settings with a budget of some dozens of waveform batches; retention runs only when the test calls it."""


def lanes_of(gaps: list[LaneGap], why: GapReason) -> Mapping[Lane, tuple[int, int]]:
    """Return the first and the last deleted sequence of each lane. They come from the gap records (records of deleted
    batches) with the reason `why`."""
    spans: dict[Lane, tuple[int, int]] = {}
    for found in gaps:
        if found.gap.why is why:
            first, _ = spans.get(found.lane, (found.gap.from_sequence, 0))
            spans[found.lane] = (first, found.gap.through_sequence)
    return spans


async def fill(buffer: Buffer, commits: int, *, samples: int = 8000) -> None:
    """Append `commits` times: 16 kB of waveform samples, 50 numeric values and one event."""
    for n in range(commits):
        await buffer.append_sections([section(numerics(50, first=n * 100.0) + waveform(1, samples=samples))])
        await buffer.append_event(connected())


async def test_acknowledged_batches_are_deleted_only_after_72_hours(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        await buffer.append_sections([section(numerics(3))])
        await clock.advance(HOUR_S)
        await buffer.append_sections([section(numerics(3))])
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 2))
        await clock.advance(71 * HOUR_S)
        await buffer.tidy()
        assert buffer.marks()[Lane.NUMERIC].first == 1
        await clock.advance(1.0)
        await buffer.tidy()
        assert buffer.marks()[Lane.NUMERIC].first == 2
        assert await buffer.next_batches(Lane.NUMERIC, after=2, limit_batches=9, limit_bytes=9999) == []
        assert await buffer.gaps() == [], "nothing is lost"
        (gone,) = await buffer.gaps(delivered=True)
    assert (gone.lane, gone.gap.why, gone.gap.observations) == (Lane.NUMERIC, GapReason.RETENTION, 3)


async def test_unacknowledged_batches_are_not_deleted_by_age(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        await buffer.append_sections([section(numerics(3) + waveform(1))])
        await clock.advance(1000 * HOUR_S)
        await buffer.tidy()
        assert await buffer.gaps() == []
        assert buffer.marks()[Lane.WAVEFORM].first == 1


async def test_no_batch_is_deleted_when_the_wall_clock_is_set_forward(tmp_path: Path) -> None:
    clock = MovedClock(wall_us=0)  # no battery for the clock: 1970
    path = new_store(tmp_path)
    async with opened(path, clock=clock) as buffer:
        await buffer.append_sections([section(numerics(1))])
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 1))
        clock.set_wall_us(1_700_000_000_000_000)
        await buffer.append_sections([section(numerics(1))])
        await buffer.tidy()
        assert buffer.marks()[Lane.NUMERIC].first == 1
    # After a restart only the wall clock shows how long the machine was off: at most a day is believed.
    later = MovedClock(wall_us=4_000_000_000_000_000, boot_id="boot-2")
    async with opened(path, clock=later) as buffer:
        await buffer.tidy()
        assert buffer.marks()[Lane.NUMERIC].first == 1


async def test_batches_are_still_deleted_by_age_when_the_wall_clock_is_set_back(tmp_path: Path) -> None:
    clock = MovedClock()
    path = new_store(tmp_path)
    async with opened(path, clock=clock) as buffer:
        await buffer.append_sections([section(numerics(1))])
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 1))
        clock.set_wall_us(0)
        await buffer.append_sections([section(numerics(1))])
    clock = MovedClock(wall_us=0, boot_id="boot-2")
    async with opened(path, clock=clock) as buffer:
        await clock.advance(73 * HOUR_S)
        await buffer.tidy()
        assert buffer.marks()[Lane.NUMERIC].first == 2


async def test_store_over_its_size_budget_deletes_acknowledged_batches_first(
    tmp_path: Path,
) -> None:
    async with opened(new_store(tmp_path), settings=TIGHT) as buffer:
        await fill(buffer, 60)
        await buffer.acknowledge(acked(buffer, Lane.WAVEFORM, 55))
        await buffer.tidy()
        gaps = await buffer.gaps(delivered=True)
        assert lanes_of(gaps, GapReason.DISK_BUDGET) == {}
        first, last = lanes_of(gaps, GapReason.RETENTION)[Lane.WAVEFORM]
        assert (first, buffer.marks()[Lane.WAVEFORM].first) == (1, last + 1)
        assert last <= 55
        rest = await whole_lane(buffer, Lane.WAVEFORM, after=55)
        assert [(batch.sequence, batch.kind) for batch in rest] == [(n, BatchKind.OBSERVATIONS) for n in range(56, 61)]


async def test_store_over_its_size_budget_deletes_waveforms_before_numerics_and_events(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path), settings=TIGHT) as buffer:
        await fill(buffer, 60)
        await buffer.tidy()
        lost = lanes_of(await buffer.gaps(), GapReason.DISK_BUDGET)
        assert set(lost) == {Lane.WAVEFORM}
        first, last = lost[Lane.WAVEFORM]
        assert first == 1
        assert last < 60, "only the oldest go"
        assert buffer.marks()[Lane.WAVEFORM].first == last + 1


async def test_store_over_its_size_budget_deletes_numerics_and_no_events_after_all_waveforms(
    tmp_path: Path,
) -> None:
    settings = replace(QUICK, disk_budget_bytes=4096, tidy_interval_s=3600.0)
    async with opened(new_store(tmp_path), settings=settings) as buffer:
        await fill(buffer, 20)
        await buffer.tidy()
        lost = lanes_of(await buffer.gaps(), GapReason.DISK_BUDGET)
        assert lost == {Lane.WAVEFORM: (1, 20), Lane.NUMERIC: (1, 20)}
        assert [batch.kind for batch in await whole_lane(buffer, Lane.EVENT)] == [BatchKind.EVENT] * 20
        await fill(buffer, 2)
        assert buffer.marks()[Lane.WAVEFORM].first == 21


async def test_hash_chain_stays_intact_when_a_gap_record_replaces_dropped_batches(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path, settings=TIGHT) as buffer:
        await fill(buffer, 60)
        await buffer.tidy()
    async with opened(path, settings=TIGHT) as buffer:
        batches = await whole_lane(buffer, Lane.WAVEFORM)
        gap = decode_gap(batches[0].payload)
        assert (batches[0].kind, batches[0].sequence, gap.why) == (BatchKind.GAP, 1, GapReason.DISK_BUDGET)
        assert (gap.batches, gap.observations) == (gap.through_sequence, gap.through_sequence)
        assert batches[1].sequence == gap.through_sequence + 1
        found = verdict(batches, buffer.epoch, Lane.WAVEFORM)
        assert isinstance(found, Intact)
        assert (found.through, found.stood_in) == (60, gap.through_sequence)
        in_the_middle = await buffer.next_batches(Lane.WAVEFORM, after=3, limit_batches=1, limit_bytes=1)
        assert in_the_middle == [batches[0]], "asked from inside the gap, the gap is the answer"


async def test_gap_records_within_an_hour_are_merged_and_their_number_is_limited(tmp_path: Path) -> None:
    clock = MovedClock()
    settings = replace(QUICK, disk_budget_bytes=4096, tidy_interval_s=3600.0 * 24, gaps_max=4)
    async with opened(new_store(tmp_path), settings=settings, clock=clock) as buffer:
        for _ in range(6):
            await fill(buffer, 1)
            await clock.advance(600.0)
            await buffer.tidy()
        gaps = [found.gap for found in await buffer.gaps() if found.lane is Lane.NUMERIC]
        assert [(gap.from_sequence, gap.through_sequence) for gap in gaps] == [(1, 6)]
        for _ in range(9):
            await clock.advance(2 * HOUR_S)
            await fill(buffer, 1)
            await buffer.tidy()
        gaps = [found.gap for found in await buffer.gaps() if found.lane is Lane.NUMERIC]
        assert len(gaps) == 4
        assert gaps[0].from_sequence == 1
        assert sum(gap.observations for gap in gaps) == 15 * 50
        assert isinstance(verdict(await whole_lane(buffer, Lane.NUMERIC), buffer.epoch, Lane.NUMERIC), Intact)


async def test_restored_cloud_receives_a_gap_record_for_batches_that_retention_has_deleted(tmp_path: Path) -> None:
    clock = MovedClock()
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        for n in range(5):
            await buffer.append_sections([section(numerics(2, first=float(n)))])
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 5))
        await clock.advance(73 * HOUR_S)
        await buffer.append_sections([section(numerics(2, first=50.0))])
        await buffer.tidy()
        assert [batch.sequence for batch in await whole_lane(buffer, Lane.NUMERIC, after=5)] == [6]
        await buffer.rewind(Lane.NUMERIC, 2)
        gap_batch, batch = await whole_lane(buffer, Lane.NUMERIC, after=2)
        gap = decode_gap(gap_batch.payload)
        assert (gap.from_sequence, gap.through_sequence, gap.why) == (1, 5, GapReason.CLOUD_RESTORED)
        assert batch.sequence == 6
        assert batch.previous_hash == gap.chain_after


async def test_store_below_its_size_budget_deletes_no_batch(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path), settings=BufferSettings(reserve_bytes=1 << 20)) as buffer:
        await fill(buffer, 10)
        await buffer.tidy()
        assert await buffer.gaps() == []
