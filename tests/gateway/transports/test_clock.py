"""The system clock and the test clock treat deadlines in the same way."""

import asyncio
import time

import pytest

from gateway.transports.clock import Clock, SystemClock, instant_of
from tests.harness.moved_clock import MovedClock


def test_system_clock_returns_its_boot_id_and_wall_and_monotonic_times():
    clock = SystemClock()
    now = instant_of(clock)
    assert now.boot_id == SystemClock().boot_id != ""
    assert abs(now.wall_us - time.time() * 1e6) < 5e6
    assert clock.monotonic_s() >= now.monotonic_s


def test_boot_id_changes_after_each_sleep_of_the_machine(monkeypatch):
    slept_s = 0.0
    monkeypatch.setattr(time, "clock_gettime", lambda _: time.monotonic() + slept_s)
    clock = SystemClock()
    ids = []
    for slept_s in (0.0, 0.4, 3600.0, 3600.4, 7300.0):  # noqa: B007  read by the stand-in for the kernel's clock
        ids.append(clock.boot_id)
    assert ids[0] == ids[1]
    assert ids[2] == ids[3] == f"{ids[0]}-s3600"
    assert ids[4] == f"{ids[0]}-s7300"


@pytest.mark.parametrize("clock", [SystemClock(), MovedClock()])
async def test_expired_deadline_interrupts_only_code_that_waits(clock: Clock):
    with pytest.raises(TimeoutError):
        async with clock.timeout_at(clock.monotonic_s() - 1):
            await asyncio.Event().wait()
    async with clock.timeout_at(clock.monotonic_s() - 1):
        done = True
    assert done


async def test_system_clock_ends_a_sleep_at_its_deadline_and_not_before():
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + 0.02
    await clock.sleep_until(deadline_s)
    assert clock.monotonic_s() >= deadline_s
    with pytest.raises(TimeoutError):
        async with clock.timeout_at(clock.monotonic_s() + 0.01):
            await asyncio.Event().wait()


async def test_advancing_the_test_clock_ends_only_the_sleeps_that_are_due():
    clock, woken = MovedClock(), []

    async def sleep(seconds: float) -> None:
        await clock.sleep_until(1000.0 + seconds)
        woken.append(seconds)

    async with asyncio.TaskGroup() as group:
        for seconds in (3.0, 1.0, 2.0):
            group.create_task(sleep(seconds))
        await clock.settle()
        assert (clock.sleepers, clock.next_wake_s) == (3, 1001.0)
        await clock.advance(2.0)
        assert sorted(woken) == [1.0, 2.0]
        assert clock.wall_us() == 1_700_000_002_000_000
        await clock.advance(1.0)
    assert sorted(woken) == [1.0, 2.0, 3.0]
