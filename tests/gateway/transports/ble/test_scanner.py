"""The scanner of the central: bounded in a flood of advertisements, restarted after silence, paused for connecting."""

import asyncio

from bleak.exc import BleakError

from gateway.transports.ble.options import ScanOptions
from tests.builders.ble_central import running_central
from tests.harness.scripted_radio import CUFF, HANGS, OXIMETER, ScriptedRadio


def stranger(number: int) -> str:
    return f"C0:00:00:00:{number >> 8:02X}:{number & 255:02X}"


async def test_advertising_devices_are_listed_by_signal_strength_for_one_minute():
    async with running_central() as it:
        it.radio.advertise(OXIMETER, rssi=-80, name="Oximeter", services=[0x1822])
        it.radio.advertise(CUFF, rssi=-40, name="Cuff", services=[0x1810, 0x180A])
        first, second = it.central.heard()
        assert (first.address, first.name, first.rssi, first.services) == (CUFF, "Cuff", -40, (0x1810, 0x180A))
        assert second.address == OXIMETER
        it.radio.on_air.clear()
        await it.advance(61)
        assert it.central.heard() == []


async def test_advertised_names_are_truncated_and_stripped_of_control_characters():
    async with running_central() as it:
        it.radio.advertise(OXIMETER, name="\x1b[2J\u202eevil\n" + "x" * 500)
        (heard,) = it.central.heard()
        assert heard.name.isprintable()
        assert len(heard.name) <= 40
        assert "evil" in heard.name


async def test_expected_device_is_connected_during_a_flood_of_invented_addresses():
    async with running_central() as it:
        it.radio.device(on_air=False)
        waits = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.clock.settle()
        for number in range(1000):
            it.radio.advertise(stranger(number), rssi=-30)
        assert len(it.central.heard()) == it.central.options.scan.heard_max
        it.radio.advertise(OXIMETER, rssi=-90)
        for number in range(1000, 2000):
            it.radio.advertise(stranger(number), rssi=-30)
        assert not (await it.outcome(waits)).ended.is_set()


async def test_scan_is_restarted_after_advertisements_of_many_unknown_addresses():
    async with running_central(scan=ScanOptions(strangers_max=100)) as it:
        assert it.radio.scans == 1
        for number in range(101):
            it.radio.advertise(stranger(number))
        it.radio.on_air.clear()
        await it.clock.settle()
        assert it.radio.scans == 2


async def test_scan_without_advertisements_is_restarted_and_then_the_adapter_is_power_cycled():
    async with running_central() as it:
        starts = []
        for _ in range(6):
            await it.advance(60, step_s=5)
            starts.append((it.radio.scans, it.radio.power_cycles))
        assert starts == [(2, 0), (3, 0), (4, 0), (5, 1), (5, 1), (6, 1)]  # the next delay is twice as long


async def test_scan_that_received_an_advertisement_is_not_restarted():
    async with running_central() as it:
        for _ in range(20):
            await it.advance(50, step_s=5)
            it.radio.advertise(OXIMETER)
            it.radio.on_air.clear()
        assert (it.radio.scans, it.radio.power_cycles) == (1, 0)


async def test_adapter_is_not_power_cycled_for_a_scan_without_advertisements_while_a_link_is_connected():
    async with running_central() as it:
        it.radio.device()
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        it.radio.on_air.clear()
        await it.advance(3600, step_s=10)
        assert it.radio.power_cycles == 0
        assert not link.ended.is_set()


async def test_new_scan_reports_a_device_again_when_the_stack_reports_it_once_per_scan():
    async with running_central() as it:
        device = it.radio.device()
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        await it.advance(20)
        device.leave()
        await link.close()
        # It advertises, and the stack does not report it, since nothing has changed.
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)), within_s=35)
        assert not link.ended.is_set()


async def test_bluetooth_stack_is_reopened_when_the_scan_repeatedly_fails_to_start():
    radio = ScriptedRadio()
    radio.scan_starts = [BleakError("[org.bluez.Error.InProgress] Operation already in progress")] * 4
    async with running_central(radio) as it:
        await it.advance(15)
        assert it.radio.opened == 2
        assert it.radio.scanning is not None
        assert it.central.trouble == ""


async def test_scan_start_without_a_response_times_out_and_is_retried():
    radio = ScriptedRadio()
    radio.scan_starts = [HANGS]
    async with running_central(radio) as it:
        await it.advance(15)
        assert it.radio.scanning is not None


async def test_unexpected_scan_error_reopens_the_bluetooth_stack_once():
    radio = ScriptedRadio()
    radio.scan_starts = [AttributeError("bus")] * 3
    async with running_central(radio) as it:
        await it.advance(15)
        assert it.radio.opened == 2
        assert it.central.trouble == ""
