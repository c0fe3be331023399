"""Connections to devices that fail in every way known from the field: the recovery steps, and their limits.

The radio is scripted in these tests; `test_radio` uses a virtual radio.
"""

import asyncio

import pytest
from bleak.exc import BleakDBusError, BleakDeviceNotFoundError, BleakError

from gateway.transports.ble.connection import Arrival
from gateway.transports.ble.faults import BleUnreachable
from tests.builders.ble_central import running_central
from tests.harness.scripted_radio import CUFF, HANGS, OXIMETER, OXIMETER_TABLE, ScriptedRadio, Stuck

ABORTED = BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"])
IN_PROGRESS = BleakDBusError("org.bluez.Error.InProgress", ["Operation already in progress"])
NO_SERVICES = BleakError("failed to discover services, device disconnected")
NOT_FOUND = BleakDeviceNotFoundError(OXIMETER, "was not found")
NO_KEY = BleakDBusError("org.bluez.Error.Failed", ["le-connection-key-missing"])


async def test_device_is_connected_as_soon_as_it_advertises():
    async with running_central() as it:
        device = it.radio.device(on_air=False)
        connecting = asyncio.ensure_future(it.central.connect(OXIMETER.lower()))
        await it.advance(100)
        assert not connecting.done()
        it.radio.advertise(OXIMETER)
        link = await it.outcome(connecting)
        assert (link.name, link.services(), link.bonded) == (f"ble:{OXIMETER}", (0x1822, 0x180A), False)
        assert link.has(0x1822, 0x2A5F)
        assert not link.has(0x1822, 0x2A29)
        await link.subscribe(0x1822, 0x2A5F)
        device.notify(0x2A5F, b"\x01")
        assert list(await link.arrivals()) == [Arrival(0x1822, 0x2A5F, b"\x01", it.clock.monotonic_s())]


@pytest.mark.parametrize(
    "error", [ABORTED, IN_PROGRESS, NO_SERVICES, NOT_FOUND, HANGS, EOFError(), RuntimeError("new")], ids=str
)
async def test_connect_is_retried_with_a_new_client_after_a_transient_error(error):
    async with running_central() as it:
        device = it.radio.device()
        device.connects = [error, error]
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert not link.ended.is_set()
        assert len(device.clients) == 3
        assert len(device.open_clients) == 1
        await link.close()
        assert it.central.trouble_of(OXIMETER) == ""


async def test_pending_connect_is_cancelled_in_the_stack_before_the_next_attempt():
    async with running_central() as it:
        it.radio.device().connects = [IN_PROGRESS]
        await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert it.radio.ended == [OXIMETER]


async def test_connect_fails_with_a_reason_after_a_bounded_number_of_attempts():
    async with running_central() as it:
        device = it.radio.device()
        device.connects = [ABORTED] * 50
        with pytest.raises(BleUnreachable, match="heard and could not be connected: the link broke while it was made"):
            await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert len(device.clients) == it.central.options.tries_max
        assert it.central.trouble_of(OXIMETER) == "the link broke while it was made"


async def test_cached_services_are_removed_once_when_the_service_table_is_empty():
    async with running_central() as it:
        device = it.radio.device()
        device.tables = [{}, {}, {}]
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert link.services() == tuple(OXIMETER_TABLE)
        assert it.radio.forgotten == [OXIMETER]


async def test_cached_services_of_a_device_that_bonds_during_the_connect_are_not_removed():
    async with running_central() as it:
        device = it.radio.device()
        device.connects = [NO_SERVICES] * 2
        connecting = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.clock.settle()
        while len(device.clients) < 2:
            await it.advance(0.5)
        it.radio.bonds.add(OXIMETER)
        assert (await it.outcome(connecting)).bonded
        assert it.radio.forgotten == []


def lacks_spo2(link):
    return "" if link.has(0x1822, 0x2A5F) else "0x2A5F is missing"


async def test_stale_cached_service_table_is_removed_and_read_again():
    async with running_central() as it:
        device = it.radio.device()
        device.tables = [{0x1822: {0x2A60: ("read",)}}]
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER, lacks_spo2)))
        assert link.has(0x1822, 0x2A5F)
        assert it.radio.forgotten == [OXIMETER]


async def test_connect_to_a_device_without_a_mandatory_characteristic_fails_after_one_repeated_service_read():
    async with running_central() as it:
        device = it.radio.device()
        device.table = {0x1822: {0x2A60: ("read",)}}
        with pytest.raises(BleUnreachable, match="also when read afresh: 0x2A5F is missing"):
            await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER, lacks_spo2)))
        with pytest.raises(BleUnreachable):
            await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER, lacks_spo2)))
        assert it.radio.forgotten == [OXIMETER]
        assert len(device.clients) == 3


async def test_stale_cached_service_table_of_a_bonded_device_is_reported_with_the_pair_command():
    async with running_central() as it:
        device = it.radio.device()
        it.radio.bonds.add(OXIMETER)
        device.table = {0x1822: {0x2A60: ("read",)}}
        with pytest.raises(BleUnreachable, match=f"pair it again .argus-gateway ble pair {OXIMETER}"):
            await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER, lacks_spo2)))
        assert it.radio.forgotten == []


async def test_device_that_refuses_the_bond_keys_is_connected_after_pairing_again():
    async with running_central() as it:
        device = it.radio.device()
        it.radio.bonds.add(OXIMETER)
        device.connects = [NO_KEY, NO_KEY]
        with pytest.raises(BleUnreachable, match=f"forgotten its bond.*ble pair {OXIMETER}") as told:
            await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert told.value.bond_lost
        assert it.radio.forgotten == []
        pairing = asyncio.ensure_future(it.central.pair(OXIMETER))
        await it.clock.advance(0.5)
        it.radio.advertise(OXIMETER)
        assert await it.outcome(pairing) is True
        it.radio.advertise(OXIMETER)
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert link.bonded


async def test_connection_left_by_a_dead_process_is_closed_before_the_device_is_connected():
    radio = ScriptedRadio()
    radio.left_connected = {OXIMETER, CUFF}
    async with running_central(radio) as it:
        it.radio.device(on_air=False)
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert not link.ended.is_set()
        assert it.radio.ended == [OXIMETER]  # the other link belongs to another program


async def test_device_connected_by_the_bluetooth_stack_on_its_own_is_disconnected():
    async with running_central() as it:
        it.radio.device(on_air=False)
        connecting = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.clock.settle()
        it.radio.left_connected.add(OXIMETER)
        link = await it.outcome(connecting, within_s=40)
        assert not link.ended.is_set()


async def test_hanging_connect_delays_other_devices_at_most_by_its_timeout():
    async with running_central() as it:
        it.radio.device(OXIMETER).connects = [HANGS]
        it.radio.device(CUFF)
        hangs = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.clock.settle()
        other = asyncio.ensure_future(it.central.connect(CUFF))
        await it.outcome(other, within_s=it.central.options.connect_s + 1)
        assert not hangs.done()
        await it.outcome(hangs)


async def test_connect_that_cannot_be_cancelled_does_not_block_other_devices():
    async with running_central() as it:
        call = Stuck()
        it.radio.device(OXIMETER).connects = [call]
        it.radio.device(CUFF)
        stuck = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.clock.settle()
        link = await it.outcome(asyncio.ensure_future(it.central.connect(CUFF)), within_s=30)
        assert not link.ended.is_set()
        stuck.cancel()
        call.freed.set()
        await asyncio.wait({stuck})
        it.radio.overlaps.clear()  # the script counted the first attempt as unfinished


async def test_device_that_repeatedly_fails_to_connect_does_not_delay_another_device():
    async with running_central(connections_max=1) as it:
        it.radio.device(OXIMETER).connects = [ABORTED] * 3
        it.radio.device(CUFF)
        failing = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.clock.settle()
        link = await asyncio.wait_for(it.central.connect(CUFF), 30)  # without any time passing
        assert not failing.done()
        await link.close()
        await it.outcome(failing)


async def test_devices_above_the_connection_limit_are_connected_in_turn():
    async with running_central(connections_max=2) as it:
        addresses = [f"F0:F1:00:00:00:{number:02X}" for number in range(1, 6)]
        served = dict.fromkeys(addresses, 0)

        async def live(address):
            while True:
                async with await it.central.connect(address) as link:
                    served[address] += 1
                    await link.subscribe(0x1822, 0x2A5F)
                    while await link.arrivals():
                        pass

        for address in addresses:
            it.radio.device(address)
        lives = [asyncio.ensure_future(live(address)) for address in addresses]
        for _ in range(300):
            it.radio.devices[addresses[0]].notify(0x2A5F, b"\x61")
            for address in addresses:
                it.radio.advertise(address)
            await it.advance(1, step_s=1)
        assert served[addresses[0]] == 1
        assert min(served[address] for address in addresses[1:]) >= 2
        for task in lives:
            task.cancel()
        await asyncio.wait(lives)


async def test_adapter_is_power_cycled_after_repeated_requests_without_a_response():
    async with running_central() as it:
        device = it.radio.device()
        device.subscriptions = [HANGS] * 6
        for _ in range(6):
            it.radio.advertise(OXIMETER)
            link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
            with pytest.raises(Exception, match="subscribing to 0x2A5F got no response within 10 s"):
                await it.outcome(asyncio.ensure_future(link.subscribe(0x1822, 0x2A5F)))
            await link.close()
        assert it.radio.forgotten == [OXIMETER]
        assert it.radio.power_cycles == 0
        it.radio.advertise(OXIMETER)
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert it.radio.power_cycles == 1
        await link.subscribe(0x1822, 0x2A5F)


async def test_adapter_is_not_power_cycled_while_another_device_is_connected():
    async with running_central() as it:
        it.radio.device(CUFF)
        working = await it.outcome(asyncio.ensure_future(it.central.connect(CUFF)))
        it.radio.device(OXIMETER).connects = [HANGS] * 12
        for _ in range(3):
            with pytest.raises(BleUnreachable):
                await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert it.radio.power_cycles == 0
        assert not working.ended.is_set()


async def test_later_connect_of_a_device_replaces_its_earlier_link():
    async with running_central() as it:
        it.radio.device()
        first = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        earlier = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.advance(1)
        second = await it.outcome(earlier)
        assert first.why == "another part of the gateway has taken the device over"
        third = asyncio.ensure_future(it.central.connect(OXIMETER))
        waits = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.advance(100)
        assert second.ended.is_set()
        (holds,) = [task for task in (third, waits) if task.done()]
        await holds.result().close()
        (other,) = {third, waits} - {holds}
        assert not (await it.outcome(other)).ended.is_set()


async def test_cancelled_connect_leaves_no_open_client_and_no_used_connection_slot():
    async with running_central(connections_max=1) as it:
        it.radio.device(OXIMETER, on_air=False)
        cuff = it.radio.device(CUFF)
        cuff.connects = [HANGS]
        absent, hanging = (asyncio.ensure_future(it.central.connect(address)) for address in (OXIMETER, CUFF))
        await it.clock.settle()
        for task in (absent, hanging):
            task.cancel()
        await asyncio.wait({absent, hanging})
        assert cuff.open_clients == []
        link = await it.outcome(asyncio.ensure_future(it.central.connect(CUFF)))
        assert not link.ended.is_set()
