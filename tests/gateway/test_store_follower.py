"""The store follower counts the lost data of the store in use. It reads the gap records (records of lost data) again
only after a new one was written. When another store comes into use, the follower loads it, and tries again later if
this fails.
"""

import asyncio
from pathlib import Path

import pytest

from gateway.buffer import Buffer, StoreFull
from gateway.buffer.losses import Loss
from gateway.sessions.association.resent_waveforms import ResentWaveforms
from gateway.sessions.association.segment_intake import SegmentIntake
from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.clocks.timekeeping import Timekeeping
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sessions.devices.histories import DeviceHistories
from gateway.sessions.devices.roster import Roster
from gateway.sessions.journal import Journal
from gateway.store_follower import COUNT_EVERY_S, EXCHANGE_EVERY_S, StoreFollower
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import numerics, section
from tests.builders.buffer_store import new_store, opened
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock


def follower_of(buffer: Buffer, clock: MovedClock) -> StoreFollower:
    trusted = TrustedClock(clock)
    return StoreFollower(
        buffer,
        trusted,
        timekeeping=Timekeeping(trusted),
        histories=DeviceHistories(),
        roster=Roster(),
        memory=SegmentIntake(buffer, DeviceClocks(), Journal(buffer, trusted)),
        resent=ResentWaveforms(),
    )


async def test_store_follower_reads_the_gap_records_again_only_after_a_new_gap_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[int] = []
    read = Buffer.gaps

    async def counted(self: Buffer) -> object:
        found = await read(self)
        readings.append(len(found))
        return found

    monkeypatch.setattr(Buffer, "gaps", counted)
    clock = MovedClock()
    async with opened(new_store(tmp_path)) as buffer:
        follower = follower_of(buffer, clock)
        task = asyncio.create_task(follower.count())
        await eventually(lambda: readings == [0], what="the first count")
        await buffer.append_sections([section(numerics(3))])
        for _ in range(5):
            await clock.advance(COUNT_EVERY_S)
        assert readings == [0]
        await buffer.record_loss([Loss(Lane.NUMERIC, 4, 1, 2)])

        async def found() -> bool:
            await clock.advance(COUNT_EVERY_S)  # again and again: the follower may not have been asleep
            return follower.gaps == 1

        await eventually(found, what="the loss")
        assert readings == [0, 1]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_store_follower_loads_a_replacement_store_again_after_a_failed_attempt(tmp_path: Path) -> None:
    clock, failures, followed = MovedClock(), ["the disk is full"], asyncio.Event()

    async def exchanged() -> None:
        if failures:
            raise StoreFull(failures.pop())
        followed.set()

    async with opened(new_store(tmp_path)) as buffer:
        task = asyncio.create_task(follower_of(buffer, clock).follow(exchanged))
        await eventually(lambda: not failures, what="the first reading")

        async def read_again() -> bool:
            await clock.advance(EXCHANGE_EVERY_S)  # again and again: the follower may not have been asleep
            return followed.is_set()

        await eventually(read_again, what="the second reading")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
