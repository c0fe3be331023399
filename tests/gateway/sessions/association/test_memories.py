"""The PM-store entries of a device are stored once and unchanged, despite restarts and full disks."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.buffer import Buffer, StoreFull
from gateway.buffer.segments import FetchedSegment
from gateway.transports.clock import SystemClock
from protocols.device_time import TimeKind
from protocols.ieee11073.association.fetched_segments import SegmentKey
from protocols.ieee11073.association.settings import ManagerSettings, PmStoreSettings
from protocols.ieee11073.dim.attribute import Attribute
from protocols.observation_record import ObservationRecord
from protocols.uplink.observations import DeviceObservations
from tests.builders.content_keys import content_key
from tests.builders.gateway_sessions import Sessions, sessions
from tests.builders.memory_devices import HeldMemory, meter_segment, minute
from tests.builders.memory_meter import meter
from tests.harness.eventually import eventually

START_US = 1_795_900_000_000_000
METER_ID = bytes.fromhex("11223344556600AA")
CLEARING = ManagerSettings(memory=PmStoreSettings(clear=True))


def memory() -> HeldMemory:
    return HeldMemory([meter_segment(1, range(5)), meter_segment(2, [10, 11])])


def values(records: Sequence[ObservationRecord]) -> list[object]:
    return [record.value for record in records]


async def fetched(gateway: Sessions, count: int) -> list[ObservationRecord]:
    async def there() -> bool:
        return len(await gateway.stored()) >= count

    await eventually(there, what=f"{count} stored measurements")
    return await gateway.stored()


async def test_pm_store_entries_are_fetched_at_association_and_marked_as_stored_measurements(
    tmp_path: Path,
) -> None:
    held = memory()
    async with sessions(tmp_path) as gateway, meter(gateway.address, held) as device:
        await eventually(lambda: device.sent_whole == [1, 2], what="both segments")
        records = await gateway.stored()
        assert values(records) == [80.0, 81.0, 82.0, 83.0, 84.0, 90.0, 91.0]
        assert all(record.stored and content_key(record) is not None for record in records)
        assert held.cleared == []

        async def told() -> bool:
            return (await gateway.event_names()).count("memory.segment_fetched") == 2

        await eventually(told, what="both segments are told")
        events = [event for event in await gateway.events() if event.name == "memory.segment_fetched"]
        assert [event.fields for event in events] == [
            {"store": 9, "segment": 1, "entries": 5, "whole": True},
            {"store": 9, "segment": 2, "entries": 2, "whole": True},
        ]


async def test_pm_store_of_a_reconnected_device_adds_no_duplicate_records(tmp_path: Path) -> None:
    held = memory()
    async with sessions(tmp_path) as gateway, meter(gateway.address, held) as device:
        await eventually(lambda: device.sent_whole == [1, 2])
        await device.unplug()
        await device.report(50, 123.0)
        assert device.sent_whole == [1, 2]
    async with sessions(tmp_path) as gateway, meter(gateway.address, held) as device:  # after a restart
        await device.report(51, 124.0)
        assert device.sent_whole == []
        assert values(await gateway.stored()) == [80.0, 81.0, 82.0, 83.0, 84.0, 90.0, 91.0, 123.0, 124.0]


async def test_segment_that_grew_is_fetched_again_without_duplicating_earlier_entries(
    tmp_path: Path,
) -> None:
    held = memory()
    async with sessions(tmp_path) as gateway, meter(gateway.address, held) as device:
        await eventually(lambda: device.sent_whole == [1, 2])
        held.held[1] = meter_segment(2, [10, 11, 12])
        await device.unplug()
        await eventually(lambda: device.sent_whole == [1, 2, 2])
        keys = Counter(content_key(record) for record in await gateway.stored())
        assert len(keys) == 8
        assert sorted(keys.values()) == [1] * 6 + [2] * 2


async def test_stored_entry_and_live_report_of_one_measurement_have_the_same_content_key(tmp_path: Path) -> None:
    held = HeldMemory([])
    async with sessions(tmp_path) as gateway, meter(gateway.address, held) as device:
        await device.report(3, 83.0)
        held.held = [meter_segment(1, [3])]
        await device.unplug()
        await eventually(lambda: device.sent_whole == [1])
        live, stored = await gateway.stored()
        assert (live.value, live.type, live.unit) == (stored.value, stored.type, stored.unit)
        assert content_key(stored) is not None
        assert content_key(live) == content_key(stored)


async def test_durable_segments_are_cleared_when_the_operator_enables_clearing(tmp_path: Path) -> None:
    held = memory()
    async with sessions(tmp_path, manager=CLEARING) as gateway, meter(gateway.address, held):
        await eventually(lambda: held.cleared == [1, 2], what="both segments are cleared")
        assert len(await gateway.stored()) == 7

        async def told() -> bool:
            return "memory.cleared" in await gateway.event_names()

        await eventually(told)
        held.held = [meter_segment(1, [0, 1, 2, 3, 4])]  # the number now means another segment, however similar

        async def forgotten() -> bool:
            return not await gateway.buffer.fetched_segments()

        await eventually(forgotten, what="a cleared segment is forgotten")


class FullAtFirst:
    """A wrapper of a store that refuses the first `refusals` appends as if it were full."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.buffer: Buffer | None = None

    async def append_sections(
        self,
        sections: Sequence[DeviceObservations],
        *,
        held_by_device: bool = False,
        fetched: FetchedSegment | None = None,
    ) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StoreFull("no room")
        assert self.buffer is not None
        await self.buffer.append_sections(sections, held_by_device=held_by_device, fetched=fetched)

    async def forget_segments(self, keys: Sequence[SegmentKey]) -> None:
        assert self.buffer is not None
        await self.buffer.forget_segments(keys)


async def test_segment_refused_by_a_full_store_is_not_cleared_and_is_fetched_later(tmp_path: Path) -> None:
    held, full = memory(), FullAtFirst(3)
    async with sessions(tmp_path, manager=CLEARING, memory_store=full) as gateway:
        full.buffer = gateway.buffer
        async with meter(gateway.address, held) as device:
            await eventually(lambda: held.cleared == [2], what="the segment that there was room for")
            assert [segment.number for segment in held.held] == [1]
            await device.unplug()
            await eventually(lambda: held.held == [], what="the rest")
            assert len(await gateway.stored()) == 7
            await gateway.event("store.refused_entries")
            await gateway.event("memory.not_fetched")


async def test_date_and_time_adjustment_of_a_segment_corrects_the_observation_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One clock: the machine's two clocks are read one after the other, which differs by some microseconds each time.
    monkeypatch.setattr(SystemClock, "wall_us", lambda clock: START_US + round(clock.monotonic_s() * 1_000_000))
    an_hour_back = (-360_000).to_bytes(6, "big", signed=True)
    held = HeldMemory([meter_segment(1, [0], more={Attribute.DATE_AND_TIME_ADJUSTMENT: an_hour_back})])
    held.held.append(meter_segment(2, [0]))
    async with sessions(tmp_path) as gateway:
        context, now_s = gateway.context, gateway.context.clock.monotonic_s()
        local_us = minute(30).local_us()
        assert local_us is not None
        context.clocks.clock(METER_ID.hex(), TimeKind.ABSOLUTE).observe_reading(local_us, round(now_s * 1_000_000))
        async with meter(gateway.address, held, METER_ID):
            moved, plain = await fetched(gateway, 2)
    assert moved.device_time == plain.device_time
    assert content_key(moved) == content_key(plain)
    assert abs(plain.observed_at_us - moved.observed_at_us - 3_600_000_000) < 10  # each delivery is rounded separately


async def test_segment_fetch_progress_is_stored_with_the_entries_and_survives_a_restart(tmp_path: Path) -> None:
    async with sessions(tmp_path) as gateway, meter(gateway.address, memory()) as device:
        await eventually(lambda: device.sent_whole == [1, 2])
        rows = await gateway.buffer.fetched_segments()
    async with sessions(tmp_path) as gateway:
        assert await gateway.buffer.fetched_segments() == rows
        assert [(key.store, key.segment, progress.through) for key, progress in rows] == [(9, 1, 5), (9, 2, 2)]
        for key, progress in rows:
            assert gateway.context.memory.fetched.progress(key) == progress


async def test_pm_store_is_not_fetched_when_the_operator_disables_fetching(tmp_path: Path) -> None:
    settings = ManagerSettings(memory=PmStoreSettings(fetch=False))
    async with sessions(tmp_path, manager=settings) as gateway, meter(gateway.address, memory()) as device:
        await device.report(1, 99.0)
        assert values(await gateway.stored()) == [99.0]
        assert device.sent_whole == []
