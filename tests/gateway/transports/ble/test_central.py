"""Devices whose connection fails in every way known from the field: the gateway's reaction, and its bounds.

The radio is scripted here; stories over a virtual radio are in test_ble_radio.
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


async def test_a_device_is_connected_as_soon_as_it_is_heard():
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
async def test_what_passes_is_tried_again_with_a_new_client(error):
    async with running_central() as it:
        device = it.radio.device()
        device.connects = [error, error]
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert not link.ended.is_set()
        assert len(device.clients) == 3
        assert len(device.open_clients) == 1
        await link.close()
        assert it.central.trouble_of(OXIMETER) == ""


async def test_what_the_stack_has_under_way_with_the_device_is_called_off_before_the_next_try():
    async with running_central() as it:
        it.radio.device().connects = [IN_PROGRESS]
        await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert it.radio.ended == [OXIMETER]


async def test_the_tries_of_one_call_are_bounded_and_its_failure_is_told_in_words():
    async with running_central() as it:
        device = it.radio.device()
        device.connects = [ABORTED] * 50
        with pytest.raises(BleUnreachable, match="heard and could not be connected: the link broke while it was made"):
            await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert len(device.clients) == it.central.options.tries_max
        assert it.central.trouble_of(OXIMETER) == "the link broke while it was made"


async def test_a_table_without_services_is_a_failed_connect_and_forgotten_once():
    async with running_central() as it:
        device = it.radio.device()
        device.tables = [{}, {}, {}]
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert link.services() == tuple(OXIMETER_TABLE)
        assert it.radio.forgotten == [OXIMETER]


async def test_a_cache_is_not_forgotten_when_a_bond_has_been_made_since():
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


async def test_a_table_from_before_a_firmware_change_is_forgotten_and_read_anew():
    async with running_central() as it:
        device = it.radio.device()
        device.tables = [{0x1822: {0x2A60: ("read",)}}]
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER, lacks_spo2)))
        assert link.has(0x1822, 0x2A5F)
        assert it.radio.forgotten == [OXIMETER]


async def test_a_device_that_lacks_what_it_must_have_is_not_tried_for_ever():
    async with running_central() as it:
        device = it.radio.device()
        device.table = {0x1822: {0x2A60: ("read",)}}
        with pytest.raises(BleUnreachable, match="also when read afresh: 0x2A5F is missing"):
            await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER, lacks_spo2)))
        with pytest.raises(BleUnreachable):
            await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER, lacks_spo2)))
        assert it.radio.forgotten == [OXIMETER]
        assert len(device.clients) == 3


async def test_the_stale_table_of_a_bonded_device_is_for_a_person():
    async with running_central() as it:
        device = it.radio.device()
        it.radio.bonds.add(OXIMETER)
        device.table = {0x1822: {0x2A60: ("read",)}}
        with pytest.raises(BleUnreachable, match=f"pair it again .argus-gateway ble pair {OXIMETER}"):
            await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER, lacks_spo2)))
        assert it.radio.forgotten == []


async def test_a_peer_that_refuses_our_keys_is_told_with_the_way_out_and_recovers_when_paired_again():
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


async def test_a_device_that_was_left_connected_by_a_process_that_died_is_freed_first():
    radio = ScriptedRadio()
    radio.left_connected = {OXIMETER, CUFF}
    async with running_central(radio) as it:
        it.radio.device(on_air=False)
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert not link.ended.is_set()
        assert it.radio.ended == [OXIMETER]  # the other link belongs to another program


async def test_a_device_that_the_stack_connects_by_itself_is_freed_while_it_is_waited_for():
    async with running_central() as it:
        it.radio.device(on_air=False)
        connecting = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.clock.settle()
        it.radio.left_connected.add(OXIMETER)
        link = await it.outcome(connecting, within_s=40)
        assert not link.ended.is_set()


async def test_a_device_that_hangs_holds_up_others_no_longer_than_its_time_limit():
    async with running_central() as it:
        it.radio.device(OXIMETER).connects = [HANGS]
        it.radio.device(CUFF)
        hangs = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.clock.settle()
        other = asyncio.ensure_future(it.central.connect(CUFF))
        await it.outcome(other, within_s=it.central.options.connect_s + 1)
        assert not hangs.done()
        await it.outcome(hangs)


async def test_a_stack_that_cannot_even_call_off_a_connect_does_not_keep_the_adapter_from_others():
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


async def test_a_device_that_keeps_failing_does_not_starve_the_others():
    async with running_central(connections_max=1) as it:
        it.radio.device(OXIMETER).connects = [ABORTED] * 3
        it.radio.device(CUFF)
        failing = asyncio.ensure_future(it.central.connect(OXIMETER))
        await it.clock.settle()
        link = await asyncio.wait_for(it.central.connect(CUFF), 5)  # without any time passing
        assert not failing.done()
        await link.close()
        await it.outcome(failing)


async def test_more_devices_than_places_take_turns_and_who_measures_is_not_interrupted():
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


async def test_a_request_that_hangs_ends_the_link_and_climbs_the_ladder():
    async with running_central() as it:
        device = it.radio.device()
        device.subscriptions = [HANGS] * 6
        for _ in range(6):
            it.radio.advertise(OXIMETER)
            link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
            with pytest.raises(Exception, match="subscribing to 0x2A5F was not answered within 10 s"):
                await it.outcome(asyncio.ensure_future(link.subscribe(0x1822, 0x2A5F)))
            await link.close()
        assert it.radio.forgotten == [OXIMETER]
        assert it.radio.power_cycles == 0
        it.radio.advertise(OXIMETER)
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert it.radio.power_cycles == 1
        await link.subscribe(0x1822, 0x2A5F)


async def test_the_adapter_is_not_switched_off_beneath_a_link_of_another_device():
    async with running_central() as it:
        it.radio.device(CUFF)
        working = await it.outcome(asyncio.ensure_future(it.central.connect(CUFF)))
        it.radio.device(OXIMETER).connects = [HANGS] * 12
        for _ in range(3):
            with pytest.raises(BleUnreachable):
                await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        assert it.radio.power_cycles == 0
        assert not working.ended.is_set()


async def test_who_asks_last_for_a_device_gets_it_and_who_had_it_waits_for_its_end():
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


async def test_who_stops_waiting_for_a_device_leaves_nothing_behind():
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
