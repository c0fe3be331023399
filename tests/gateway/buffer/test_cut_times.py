"""Batches are cut at the phase of the second that the cloud requests, and never later than a second after their first
observation."""

from pathlib import Path

import pytest

from gateway.buffer.cut_times import EARLY_PART, CutTimes
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import connected, numerics, section, waveform
from tests.builders.buffer_store import new_store, opened, whole_lane
from tests.gateway.buffer.test_batches_by_time import BY_TIME, let_pass, numbers
from tests.harness.moved_clock import MovedClock

WHOLE_US = 1_700_000_000_000_000
BEGUN_S = 1000.0


def clock_at(after_ms: int, *, synchronised: bool = True) -> MovedClock:
    """Return a clock that shows this time after a whole second."""
    clock = MovedClock(BEGUN_S, WHOLE_US + after_ms * 1000)
    clock.synchronised = synchronised
    return clock


def length_s(clock: MovedClock, phase_ms: int | None, *, batch_s: float = 1.0) -> float:
    """Return the time from the first observation of a batch to its cut."""
    times = CutTimes(clock, batch_s)
    times.phase_ms = phase_ms
    return times.of_batch(BEGUN_S).due_s - BEGUN_S


@pytest.mark.parametrize(
    ("after_ms", "phase_ms", "batch_s", "expected_s"),
    [
        (300, 0, 1.0, 0.7),
        (0, 0, 1.0, 1.0),
        (999, 0, 1.0, 0.001),
        (300, 250, 1.0, 0.95),
        (300, 750, 1.0, 0.45),
        (300, None, 1.0, 1.0),
        (300, 0, 2.5, 1.7),
        (900, 0, 0.5, 0.1),
        (300, 0, 0.5, 0.5),
    ],
)
def test_cut_is_the_last_requested_moment_within_the_time_of_a_batch(
    after_ms: int, phase_ms: int | None, batch_s: float, expected_s: float
) -> None:
    assert length_s(clock_at(after_ms), phase_ms, batch_s=batch_s) == pytest.approx(expected_s)


def test_clock_that_is_not_synchronised_cuts_a_second_after_the_first_observation() -> None:
    assert length_s(clock_at(300, synchronised=False), 0) == 1.0


async def test_time_since_the_first_observation_is_taken_into_account() -> None:
    clock = clock_at(300)
    await clock.advance(0.05)
    assert length_s(clock, 0) == pytest.approx(0.7)


def test_aligned_lanes_are_not_cut_early() -> None:
    times = CutTimes(clock_at(300), 1.0)
    assert times.of_batch(BEGUN_S).early_s == BEGUN_S + 1.0 - EARLY_PART
    times.phase_ms = 0
    cut = times.of_batch(BEGUN_S)
    assert cut.early_s == cut.due_s


async def test_all_lanes_are_cut_at_the_phase_that_an_acknowledgement_requests(tmp_path: Path) -> None:
    clock = clock_at(300)
    async with opened(new_store(tmp_path), settings=BY_TIME, clock=clock) as buffer:
        await buffer.append_event(connected())
        await buffer.acknowledge(Ack(epoch=buffer.epoch, lane=Lane.EVENT, through_sequence=1, cut_phase_ms=0))
        await buffer.append_live([section(waveform(1))])
        await clock.advance(0.65)
        await buffer.append_sections([section(numerics(1, first=1.0))])
        assert await numbers(buffer) == [], "a commit shortly before the cut does not cut"
        await let_pass(clock, buffer, 0.06)
        assert await numbers(buffer) == [[1.0]]
        assert len(await whole_lane(buffer, Lane.WAVEFORM)) == 1


async def test_step_of_the_wall_clock_does_not_delay_a_cut(tmp_path: Path) -> None:
    clock = clock_at(300)
    async with opened(new_store(tmp_path), settings=BY_TIME, clock=clock) as buffer:
        await buffer.append_event(connected())
        await buffer.acknowledge(Ack(epoch=buffer.epoch, lane=Lane.EVENT, through_sequence=1, cut_phase_ms=0))
        await buffer.append_sections([section(numerics(1, first=1.0))])
        clock.set_wall_us(WHOLE_US - 3_600_000_000)
        await let_pass(clock, buffer, 0.71)
        assert await numbers(buffer) == [[1.0]]
