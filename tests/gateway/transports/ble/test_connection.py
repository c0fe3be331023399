"""One Bluetooth link: values arrive once and in order, every wait has a limit, and every loss is counted."""

import asyncio

import pytest
from bleak.exc import BleakDBusError, BleakGATTProtocolError

from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.faults import BleGattError, BleLost
from tests.builders.ble_central import running_central
from tests.harness.scripted_radio import HANGS, OXIMETER


async def opened(it) -> BleConnection:
    it.radio.advertise(OXIMETER)
    return await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))


async def test_notifications_are_returned_in_order_with_their_reception_times():
    async with running_central() as it:
        device = it.radio.device()
        link = await opened(it)
        await link.subscribe(0x1822, 0x2A5F)
        began_s = it.clock.monotonic_s()
        for number in range(5):
            device.notify(0x2A5F, bytes([number]))
            await it.clock.advance(0.25)
        got = await link.arrivals()
        assert [(each.octets[0], each.received_s - began_s) for each in got] == [(n, n * 0.25) for n in range(5)]


async def test_values_dropped_from_a_full_notification_queue_are_counted():
    async with running_central(arrivals_max=3) as it:
        device = it.radio.device()
        link = await opened(it)
        await link.subscribe(0x1822, 0x2A5F)
        for number in range(10):
            device.notify(0x2A5F, bytes([number]))
        assert [each.octets[0] for each in await link.arrivals()] == [0, 1, 2]
        assert (link.dropped, link.arrived) == (7, 3)
        device.notify(0x2A5F, b"\x0b")
        assert [each.octets[0] for each in await link.arrivals()] == [0x0B]


async def test_queued_values_are_returned_after_a_link_loss():
    async with running_central() as it:
        device = it.radio.device()
        link = await opened(it)
        await link.subscribe(0x1822, 0x2A5F)
        device.notify(0x2A5F, b"\x01")
        device.leave()
        assert [each.octets for each in await link.arrivals()] == [b"\x01"]
        assert list(await link.arrivals()) == []
        assert list(await link.arrivals()) == []
        assert link.why == "the device went out of range or ended the link"
        with pytest.raises(BleLost, match="out of range"):
            await link.read(0x180A, 0x2A29)


async def test_no_value_is_lost_when_a_pending_receive_is_cancelled():
    async with running_central() as it:
        device = it.radio.device()
        link = await opened(it)
        await link.subscribe(0x1822, 0x2A5F)
        receiver = asyncio.ensure_future(link.arrivals())
        await it.clock.settle()
        device.notify(0x2A5F, b"\x01")
        receiver.cancel()
        await asyncio.wait({receiver})
        assert [each.octets for each in await link.arrivals()] == [b"\x01"]


async def test_client_of_a_lost_link_is_disconnected_before_the_next_connection():
    async with running_central() as it:
        device = it.radio.device()
        first = await opened(it)
        await first.subscribe(0x1822, 0x2A5F)
        it.radio.on_air.clear()
        device.leave()
        await it.clock.advance(1)
        # Its owner has not closed it yet; the next connection closes it first.
        second = await opened(it)
        assert len(device.open_clients) == 1
        device.notify(0x2A5F, b"early")
        await second.subscribe(0x1822, 0x2A5F)
        await second.subscribe(0x1822, 0x2A5F)
        device.notify(0x2A5F, b"once")
        assert [each.octets for each in await second.arrivals()] == [b"once"]
        assert list(await first.arrivals()) == []


async def test_notification_after_the_link_is_closed_is_ignored():
    async with running_central() as it:
        device = it.radio.device()
        link = await opened(it)
        await link.subscribe(0x1822, 0x2A5F)
        (callback,) = device.clients[0].callbacks.values()
        await link.close()
        callback(bytearray(b"ghost"))
        assert list(await link.arrivals()) == []


@pytest.mark.parametrize("call", ["read", "write", "subscribe"])
async def test_gatt_request_that_times_out_ends_the_link(call):
    async with running_central(request_s=7.0) as it:
        device = it.radio.device()
        device.reads = device.subscriptions = [HANGS]
        link = await opened(it)
        calls = {
            "read": lambda: link.read(0x180A, 0x2A29),
            "write": lambda: link.write(0x180A, 0x2A29, b"\x01"),
            "subscribe": lambda: link.subscribe(0x1822, 0x2A5F),
        }
        with pytest.raises(BleLost, match="got no response within 7 s"):
            await it.outcome(asyncio.ensure_future(calls[call]()), within_s=8)
        assert link.ended.is_set()
        assert link.unanswered


async def test_refused_request_raises_the_error_of_the_device_and_keeps_the_link_open():
    async with running_central() as it:
        device = it.radio.device()
        device.reads = [BleakGATTProtocolError(0x0F), BleakGATTProtocolError(0x80)]
        device.subscriptions = [BleakDBusError("org.bluez.Error.NotPermitted", ["Notify acquired"])]
        link = await opened(it)
        with pytest.raises(BleGattError, match=r"reading 0x2A29 was refused: .*Insufficient Encryption") as refused:
            await link.read(0x180A, 0x2A29)
        assert refused.value.needs_keys
        with pytest.raises(BleGattError) as refused:
            await link.write(0x180A, 0x2A29, b"\x01")
        assert (refused.value.code, refused.value.needs_keys) == (0x80, False)
        with pytest.raises(BleGattError, match="held by a link that has ended"):
            await link.subscribe(0x1822, 0x2A5F)
        await link.subscribe(0x1822, 0x2A5F)
        assert not link.ended.is_set()


async def test_request_for_a_missing_characteristic_is_refused_without_being_sent():
    async with running_central() as it:
        it.radio.device()
        link = await opened(it)
        with pytest.raises(BleGattError, match="0x2A52 was refused: the device does not show it"):
            await link.write(0x1808, 0x2A52, b"\x01\x01")


async def test_request_cancelled_by_the_stack_raises_a_link_loss_error():
    async with running_central() as it:
        device = it.radio.device()
        device.reads = [asyncio.CancelledError()]
        link = await opened(it)
        with pytest.raises(BleLost, match="in the middle of a request"):
            await link.read(0x180A, 0x2A29)


async def test_link_stays_connected_when_a_task_is_cancelled_during_a_request():
    async with running_central() as it:
        device = it.radio.device()
        device.reads = [HANGS]
        link = await opened(it)
        reading = asyncio.ensure_future(link.read(0x180A, 0x2A29))
        await it.clock.settle()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await link.read(0x180A, 0x2A29) == b"Argus"


async def test_link_closed_twice_is_disconnected_once():
    async with running_central() as it:
        device = it.radio.device()
        link = await opened(it)
        device.leave()
        await asyncio.gather(link.close(), link.close())
        await link.close()
        assert [client.told for client in device.clients] == [True]
        assert link.why == "the device went out of range or ended the link"


async def test_device_is_connected_again_when_its_link_is_lost_during_connecting():
    async with running_central() as it:
        device = it.radio.device()
        bonded, asked = it.radio.bonded, []

        async def lost_meanwhile(address):
            if not asked:
                asked.append(address)
                device.leave()
            return await bonded(address)

        it.radio.bonded = lost_meanwhile
        link = await opened(it)
        assert not link.ended.is_set()
        assert len(device.clients) == 2
