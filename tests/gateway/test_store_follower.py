"""The follower of the store's gap records: it counts losses, and reads the gap records again only when one has been
added.
"""

import asyncio
from pathlib import Path

import pytest

from gateway.buffer import Buffer
from gateway.buffer.losses import Loss
from gateway.sessions.association.segment_intake import SegmentIntake
from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.clocks.timekeeping import Timekeeping
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sessions.devices.histories import DeviceHistories
from gateway.sessions.devices.roster import Roster
from gateway.sessions.journal import Journal
from gateway.store_follower import COUNT_EVERY_S, StoreFollower
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import numerics, section
from tests.builders.buffer_store import new_store, opened
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock


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
        trusted = TrustedClock(clock)
        follower = StoreFollower(
            buffer,
            trusted,
            timekeeping=Timekeeping(trusted),
            histories=DeviceHistories(),
            roster=Roster(),
            memory=SegmentIntake(buffer, DeviceClocks(), Journal(buffer, trusted)),
        )
        task = asyncio.create_task(follower.count())
        await eventually(lambda: readings == [0], what="the first count")
        await buffer.append_sections([section(numerics(3))])
        for _ in range(5):
            await clock.advance(COUNT_EVERY_S)
        assert readings == [0]
        await buffer.record_loss([Loss(Lane.NUMERIC, 4, 1, 2)])
        await clock.advance(COUNT_EVERY_S)
        await eventually(lambda: follower.gaps == 1, what="the loss")
        assert readings == [0, 1]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
