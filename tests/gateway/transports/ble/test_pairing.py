"""The central creates and removes bonds when a person requests it."""

import asyncio

import pytest
from bleak.exc import BleakDBusError, BleakError

from gateway.transports.ble.faults import BleUnreachable
from tests.builders.ble_central import running_central
from tests.harness.scripted_radio import CUFF, HANGS, OXIMETER


async def pairing(it, address=OXIMETER):
    """Start pairing in a task and let the device advertise; return the task."""
    task = asyncio.ensure_future(it.central.pair(address))
    await it.clock.advance(0.5)
    it.radio.advertise(address)
    return task


async def test_pairing_creates_a_bond_and_leaves_no_open_link():
    async with running_central() as it:
        device = it.radio.device(on_air=False)
        assert await it.outcome(await pairing(it)) is True
        assert it.radio.bonds == {OXIMETER}
        assert device.open_clients == []


async def test_device_with_a_private_address_is_known_by_its_identity_address_after_pairing():
    async with running_central() as it:
        device = it.radio.device("51:00:00:00:00:01", on_air=False)
        device.identity = OXIMETER
        assert await it.outcome(await pairing(it, "51:00:00:00:00:01")) is True
        assert it.central.identity_of("51:00:00:00:00:01") == OXIMETER
        assert it.central.identity_of(OXIMETER) == OXIMETER


async def test_device_that_pairs_without_bonding_is_reported_as_not_bonded():
    async with running_central() as it:
        it.radio.device(on_air=False).bonds = False
        assert await it.outcome(await pairing(it)) is False


async def test_existing_bond_of_a_device_is_removed_before_its_pairing_begins():
    async with running_central() as it:
        it.radio.device()
        it.radio.bonds.add(OXIMETER)
        task = await pairing(it)
        assert it.radio.forgotten == [OXIMETER]
        assert await it.outcome(task) is True


async def test_pairing_of_a_device_that_does_not_advertise_fails_after_thirty_seconds():
    async with running_central() as it:
        it.radio.device(on_air=False)
        with pytest.raises(BleUnreachable, match=r"was not heard within 30 s.*pairing mode"):
            await it.outcome(asyncio.ensure_future(it.central.pair(OXIMETER)))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BleakDBusError("org.bluez.Error.AuthenticationFailed", ["Authentication Failed"]), "could not agree on keys"),
        (BleakDBusError("org.bluez.Error.AuthenticationCanceled", ["Canceled"]), "the pairing was called off"),
        (HANGS, "it did not respond in time"),
    ],
    ids=["a wrong passkey", "called off", "nobody answers"],
)
async def test_failed_pairing_is_reported_with_the_reason_and_leaves_no_open_link(error, words):
    async with running_central() as it:
        device = it.radio.device(on_air=False)
        device.pairs = [error]
        with pytest.raises(BleUnreachable, match=words):
            await it.outcome(await pairing(it))
        assert device.open_clients == []
        assert await it.outcome(await pairing(it)) is True


LINK_BROKE = BleakError("failed to discover services, device disconnected")


async def test_connection_is_repeated_when_the_link_breaks_before_pairing_begins():
    async with running_central() as it:
        device = it.radio.device()
        device.connects = [LINK_BROKE, BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"])]
        assert await it.outcome(asyncio.ensure_future(it.central.pair(OXIMETER))) is True
        assert len(device.clients) == 3
        assert device.open_clients == []


async def test_pairing_fails_after_four_connections_that_break_before_pairing_begins():
    async with running_central() as it:
        device = it.radio.device()
        device.connects = [LINK_BROKE] * 9
        with pytest.raises(BleUnreachable, match="services were not found before the link broke"):
            await it.outcome(asyncio.ensure_future(it.central.pair(OXIMETER)))
        assert len(device.clients) == it.central.options.tries_max


async def test_pairing_that_has_begun_is_not_repeated_when_its_link_breaks():
    async with running_central() as it:
        device = it.radio.device()
        device.pairs = [LINK_BROKE]
        with pytest.raises(BleUnreachable, match="could not be paired"):
            await it.outcome(asyncio.ensure_future(it.central.pair(OXIMETER)))
        assert len(device.clients) == 1


async def test_second_concurrent_pairing_of_one_device_is_refused():
    async with running_central() as it:
        it.radio.device(on_air=False)
        first = asyncio.ensure_future(it.central.pair(OXIMETER))
        await it.clock.settle()
        with pytest.raises(BleUnreachable, match="is being paired already"):
            await it.central.pair(OXIMETER.lower())
        first.cancel()
        await asyncio.wait({first})


async def test_connect_of_a_device_waits_until_its_pairing_has_finished():
    async with running_central() as it:
        device = it.radio.device()
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        task = asyncio.ensure_future(it.central.pair(OXIMETER))
        await it.clock.advance(0.5)
        assert link.ended.is_set()
        session = asyncio.ensure_future(it.central.connect(OXIMETER))
        it.radio.advertise(OXIMETER)
        assert await it.outcome(task) is True
        it.radio.advertise(OXIMETER)
        assert (await it.outcome(session)).bonded
        assert len(device.clients) == 3


async def lives(it, address):
    """Keep this device connected, as a session does, and read its values."""
    while True:
        async with await it.central.connect(address) as link:
            await link.subscribe(0x1822, 0x2A5F)
            while await link.arrivals():
                pass


async def test_pending_passkey_entry_does_not_delay_the_connection_of_another_device():
    async with running_central() as it:
        it.radio.device(on_air=False).pairs = [HANGS]
        task = await pairing(it)
        await it.clock.settle()
        it.radio.device(CUFF)
        link = await asyncio.wait_for(it.central.connect(CUFF), 30)  # without any time passing
        assert not link.ended.is_set()
        assert not task.done()
        task.cancel()
        await asyncio.wait({task})


async def test_pairing_gets_the_connection_slot_of_an_idle_device_before_queued_devices():
    async with running_central(connections_max=1) as it:
        third = "F0:F1:00:00:00:03"
        sessions = []
        for address in (CUFF, third):
            it.radio.device(address)
            sessions.append(asyncio.ensure_future(lives(it, address)))
            await it.advance(1)
        it.radio.device(OXIMETER, on_air=False)
        task = await pairing(it)
        assert await it.outcome(task, within_s=it.central.options.idle_urgent_s + 1) is True
        assert it.radio.order[:2] == [CUFF, OXIMETER]
        for session in sessions:
            session.cancel()
        await asyncio.wait(sessions)


async def test_pairing_fails_with_a_reason_when_every_connection_slot_is_used_by_a_measuring_device():
    async with running_central(connections_max=1) as it:
        cuff = it.radio.device(CUFF)
        session = asyncio.ensure_future(lives(it, CUFF))
        await it.advance(1)
        it.radio.device(OXIMETER, on_air=False)
        task = await pairing(it)
        for _ in range(40):
            cuff.notify(0x2A5F, b"1")
            await it.advance(1, step_s=1)
        with pytest.raises(BleUnreachable, match="all 1 places of the adapter are held by devices that measure"):
            await task
        assert len(cuff.clients) == 1
        session.cancel()
        await asyncio.wait({session})


async def test_forgetting_a_device_ends_its_link_and_removes_its_bond():
    async with running_central() as it:
        it.radio.device()
        it.radio.bonds.add(OXIMETER)
        link = await it.outcome(asyncio.ensure_future(it.central.connect(OXIMETER)))
        await it.central.forget(OXIMETER)
        assert link.why == "its pairing was ended or is being renewed"
        assert it.radio.bonds == set()
