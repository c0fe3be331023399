"""A Bluetooth adapter that is missing, disappears, hangs or returns is reported, and its links are connected again."""

import asyncio

import pytest

from gateway.transports.ble.central import BleCentral
from gateway.transports.ble.connection import BleLost
from gateway.transports.ble.faults import BleUnreachable
from gateway.transports.ble.options import CentralOptions
from tests.builders.ble_central import running_central
from tests.harness.moved_clock import MovedClock
from tests.harness.scripted_radio import CUFF, HANGS, OXIMETER, DecliningAgent, ScriptedRadio, unavailable


async def test_missing_bluetooth_adapter_is_used_as_soon_as_it_appears():
    radio = ScriptedRadio()
    radio.opens = [unavailable("there is no adapter: plug one in")] * 4
    async with running_central(radio) as it:
        assert it.central.trouble == it.central.state == "there is no adapter: plug one in"
        it.radio.device()
        connecting = asyncio.ensure_future(it.central.connect(OXIMETER))
        link = await it.outcome(connecting, within_s=20)
        assert it.central.trouble == ""
        assert it.central.state == "scanning, 1 heard, 1 of 5 links"
        assert not link.ended.is_set()


async def test_retry_delays_for_a_missing_bluetooth_adapter_grow_to_a_maximum():
    radio = ScriptedRadio()
    radio.opens = [unavailable()] * 12
    async with running_central(radio, chance=0.999) as it:
        waits_s = []
        for _ in range(11):
            waits_s.append(round(it.clock.next_wake_s - it.clock.monotonic_s(), 6))
            await it.clock.advance(waits_s[-1] + 0.001)
            await it.clock.settle()
        assert waits_s == sorted(waits_s)
        assert waits_s[0] < 1.1
        assert 4.9 < waits_s[-1] <= 5


async def test_missing_bluetooth_adapter_is_logged_once(capsys):
    radio = ScriptedRadio()
    radio.opens = [unavailable("nothing there")] * 5
    async with running_central(radio) as it:
        await it.advance(60)
        assert "".join(capsys.readouterr()).count("ble.adapter_lost") == 1  # on any output of logs
        for _ in range(2):
            it.radio.lose("it was pulled")
            await it.advance(10)
        assert "".join(capsys.readouterr()).count("ble.adapter_lost") == 2


async def test_opening_of_an_unresponsive_bluetooth_stack_times_out_and_is_retried():
    radio = ScriptedRadio()
    radio.opens = [HANGS]
    async with running_central(radio) as it:
        await it.advance(it.central.options.open_s + 2)
        assert it.central.trouble == ""
        assert it.radio.opened == 1


@pytest.mark.parametrize("turns", range(12))
async def test_bluetooth_adapter_lost_during_shutdown_does_not_block_the_shutdown(turns: int):
    radio, clock = ScriptedRadio(), MovedClock()
    running = asyncio.ensure_future(BleCentral(radio, clock, CentralOptions(), DecliningAgent()).run())
    await clock.settle()
    radio.lose("the radio has gone")
    await clock.settle(turns)
    running.cancel()
    await clock.settle(100)
    assert running.cancelled()


async def test_every_link_ends_when_the_bluetooth_adapter_is_lost():
    async with running_central() as it:
        for address in (OXIMETER, CUFF):
            it.radio.device(address)
        links = [await it.outcome(asyncio.ensure_future(it.central.connect(each))) for each in (OXIMETER, CUFF)]
        waiting = asyncio.ensure_future(links[0].arrivals())
        await it.clock.settle()
        it.radio.lose("the adapter hci0 was removed")
        await it.clock.settle()
        assert list(await waiting) == []
        assert [link.why for link in links] == ["the adapter hci0 was removed"] * 2
        assert it.central.trouble == "the adapter hci0 was removed"
        assert not any(device.open_clients for device in it.radio.devices.values())
        again = [asyncio.ensure_future(it.central.connect(each)) for each in (OXIMETER, CUFF)]
        for task in again:
            assert not (await it.outcome(task)).ended.is_set()
        assert it.radio.opened == 2


async def test_pending_connect_is_retried_after_bluetoothd_exits():
    async with running_central() as it:
        it.radio.device(OXIMETER)
        it.radio.device(CUFF)
        link = await it.outcome(asyncio.ensure_future(it.central.connect(CUFF)))
        it.radio.devices[CUFF].reads = [HANGS]
        it.radio.devices[OXIMETER].connects = [HANGS]
        reading = asyncio.ensure_future(link.read(0x180A, 0x2A29))
        connecting = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.clock.settle()
        it.radio.lose("bluetoothd has ended")
        await it.clock.settle()
        with pytest.raises(BleLost, match="bluetoothd has ended"):
            await reading
        opened = await it.outcome(connecting, within_s=5)
        assert not opened.ended.is_set()
        assert it.central.trouble_of(OXIMETER) == ""  # it was not the device's fault


async def test_advertisements_received_before_the_loss_of_the_bluetooth_stack_are_discarded():
    async with running_central() as it:
        assert it.central.heard() == []
        it.radio.advertise(OXIMETER)
        assert [heard.address for heard in it.central.heard()] == [OXIMETER]
        it.radio.on_air.clear()
        it.radio.lose("bluetoothd has ended")
        await it.advance(3)
        assert it.central.trouble == ""
        assert it.central.heard() == []


async def test_pairing_and_forgetting_fail_with_the_reason_when_there_is_no_adapter():
    radio = ScriptedRadio()
    radio.opens = [unavailable("there is no adapter: plug one in")] * 100
    async with running_central(radio) as it:
        for asked in (it.central.pair(OXIMETER), it.central.forget(OXIMETER)):
            with pytest.raises(BleUnreachable, match="there is no adapter: plug one in"):
                await asked
