"""Every value that the Bluetooth stack has received from a device is stored, or counted in a gap record (a record of
lost data).
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.buffer import Buffer
from gateway.buffer.losses import Loss
from protocols.ble.uuids import HEART_RATE
from protocols.uplink.gaps import GapReason
from protocols.uplink.observations import DeviceObservations
from tests.builders.ble_central import running_central
from tests.builders.gatt_devices import HEART_RATE_MEASUREMENT, beat, belt
from tests.builders.gatt_sessions import gatt_gateway
from tests.harness.eventually import eventually
from tests.harness.scripted_radio import OXIMETER


async def lost(buffer: Buffer) -> int:
    """Return the number of values that were lost with the reason NOT_STORED, from the gap records (records of lost
    data)."""
    return sum(each.gap.observations for each in await buffer.gaps() if each.gap.why is GapReason.NOT_STORED)


@pytest.mark.finding("edge-C3")
async def test_notified_values_dropped_from_a_full_queue_are_counted_in_a_gap_record(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        peer.queue_max = 4
        session = gateway.session(peer)
        await gateway.serving(session)
        for rate in range(60, 70):
            beat(peer, rate)
        await eventually(lambda: session.counts.lost == 6)
        assert len(await gateway.values()) == 4
        assert await lost(gateway.buffer) == 6


@pytest.mark.finding("edge-C3")
async def test_values_that_arrive_during_the_close_of_a_link_are_stored(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        session = gateway.session(peer)
        await gateway.serving(session)
        beat(peer, 60)
        peer.while_closing = [(HEART_RATE, HEART_RATE_MEASUREMENT, bytes((0, rate))) for rate in (61, 62)]
        await session.release()
        await gateway.ended()
        assert await gateway.values() == [60.0, 61.0, 62.0]


@pytest.mark.finding("edge-C3")
async def test_values_received_before_a_link_loss_are_stored_before_the_link_is_closed(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        session = gateway.session(peer)
        await gateway.serving(session)
        closing = asyncio.Event()
        written: list[object] = []
        assert peer.link is not None
        close = peer.link.close

        async def slow_close() -> None:
            written.extend(await gateway.values())
            closing.set()
            await close()

        peer.link.close = slow_close  # type: ignore[method-assign]  # a slow stack
        beat(peer, 60)
        peer.lose()
        await gateway.ended()
        assert closing.is_set()
        assert written == [60.0]


class Failing:
    """A wrapper of a store whose appends wait for the event `go`. While `fails` is True, each append raises
    RuntimeError."""

    def __init__(self, behind: Buffer) -> None:
        self.behind = behind
        self.fails = False
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def append_sections(self, sections: Sequence[DeviceObservations], **options: object) -> None:
        self.asked.set()
        await self.go.wait()
        if self.fails:
            raise RuntimeError("a bug of ours")
        await self.behind.append_sections(sections, **options)  # type: ignore[arg-type]  # passed through

    async def append_live(self, sections: Sequence[DeviceObservations]) -> None:
        self.asked.set()
        await self.go.wait()
        if self.fails:
            raise RuntimeError("a bug of ours")
        await self.behind.append_live(sections)

    async def record_loss(self, losses: Sequence[Loss]) -> None:
        await self.behind.record_loss(losses)


@pytest.mark.finding("edge-C3")
async def test_values_of_a_session_that_fails_with_an_exception_are_counted_as_lost(tmp_path: Path):
    stores: list[Failing] = []
    async with gatt_gateway(tmp_path, store=lambda buffer: stores.append(Failing(buffer)) or stores[0]) as gateway:
        peer = belt(gateway.clock)
        session = gateway.session(peer)
        await gateway.serving(session)
        (store,) = stores
        store.fails = True
        for rate in (60, 61, 62):
            beat(peer, rate)
        await asyncio.gather(*gateway.running, return_exceptions=True)
        gateway.running.clear()
        assert await lost(gateway.buffer) == 3


@pytest.mark.finding("edge-C3")
async def test_current_and_queued_values_of_a_cancelled_session_are_stored(tmp_path: Path):
    stores: list[Failing] = []
    async with gatt_gateway(tmp_path, store=lambda buffer: stores.append(Failing(buffer)) or stores[0]) as gateway:
        peer = belt(gateway.clock)
        session = gateway.session(peer)
        await gateway.serving(session)
        (store,) = stores
        store.go.clear()
        beat(peer, 60)
        await store.asked.wait()
        beat(peer, 61)
        gateway.running[0].cancel()
        await gateway.clock.settle()
        store.go.set()
        await asyncio.gather(*gateway.running, return_exceptions=True)
        gateway.running.clear()
        assert await gateway.values() == [60.0, 61.0]


@pytest.mark.finding("edge-C3")
async def test_values_received_between_the_end_and_the_close_of_a_link_are_returned():
    async with running_central() as it:
        device = it.radio.device()
        it.radio.advertise(OXIMETER)
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        await link.subscribe(0x1822, 0x2A5F)
        link.end("a request was not answered")
        device.notify(0x2A5F, b"\x01")
        assert [each.octets for each in link.pending()] == [b"\x01"]
        await link.close()
        link._received(0x1822, 0x2A5F, None, bytearray(b"\x02"))  # type: ignore[arg-type]  # a late stack
        assert list(link.pending()) == []
