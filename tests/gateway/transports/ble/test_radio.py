"""The central on a virtual radio with real links, keys and attributes: connecting, bonding, losing and spoofing.

Failures that the virtual radio cannot produce are in `test_central`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.transports.ble.central import BleCentral
from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.faults import BleGattError, BleLost, BleUnreachable
from gateway.transports.ble.options import CentralOptions
from gateway.transports.clock import SystemClock
from simulators.ble.ether import Ether
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.virtual_radio import OXIMETER, Person, RadioHere, bare_device

SERVICE, NOTIFIED, INDICATED, PLAIN, GUARDED = 0x1822, 0x2A5F, 0x2A1C, 0x2A29, 0x2A23


@dataclass
class Vehicle:
    central: BleCentral
    backend: RadioHere
    ether: Ether


@asynccontextmanager
async def vehicle(tmp_path: Path, person: Person | None = None, **options: float) -> AsyncIterator[Vehicle]:
    """Run a central on a virtual radio; after the block, check that no link is left."""
    ether = Ether()
    backend = RadioHere(ether, tmp_path / "bonds")
    options = {"reopen_s": 0.02, **options}
    central = BleCentral(backend, SystemClock(), CentralOptions(**options), person or Person(), chance=lambda: 0.0)
    runs = asyncio.ensure_future(central.run())
    try:
        yield Vehicle(central, backend, ether)
    finally:
        runs.cancel()
        await asyncio.wait({runs})
    await eventually(lambda: not ether.links())


async def some(link: BleConnection, count: int) -> list[bytes]:
    got: list[bytes] = []
    async with asyncio.timeout(WITHIN_S):
        while len(got) < count:
            taken = await link.arrivals()
            if not taken:
                break
            got += [each.octets for each in taken]
    return got


async def test_values_of_a_connected_device_arrive_in_order(tmp_path: Path) -> None:
    async with vehicle(tmp_path) as it:
        device = await bare_device(it.ether)
        link = await it.central.connect(OXIMETER)
        assert await link.read(SERVICE, PLAIN) == b"Argus"
        await link.write(SERVICE, PLAIN, b"\x01\x02")
        await link.subscribe(SERVICE, INDICATED)
        await link.subscribe(SERVICE, NOTIFIED)
        assert device.written == [b"\x01\x02"]
        for number in range(100):
            await device.notify(bytes([number]))
        assert await some(link, 100) == [bytes([number]) for number in range(100)]
        await device.indicate(b"\xff")
        (arrival,) = await link.arrivals()
        assert (arrival.service, arrival.characteristic, arrival.octets) == (SERVICE, INDICATED, b"\xff")
        (heard,) = it.central.heard()
        assert (heard.address, heard.name, heard.services) == (OXIMETER, "Oximeter", (SERVICE,))


async def test_no_value_is_received_twice_after_lost_links_are_reconnected(tmp_path: Path) -> None:
    async with vehicle(tmp_path) as it:
        device = await bare_device(it.ether)
        for number in range(20):
            async with await it.central.connect(OXIMETER) as link:
                await link.subscribe(SERVICE, NOTIFIED)
                await device.notify(bytes([number]))
                assert await some(link, 1) == [bytes([number])]
                if number % 2:
                    it.ether.drop(OXIMETER)
                else:
                    await device.link.disconnect()
                assert list(await link.arrivals()) == []
                assert link.why == "the device went out of range or ended the link"
                assert (link.arrived, link.dropped) == (1, 0)


async def test_pending_request_ends_with_an_error_when_the_link_is_lost(tmp_path: Path) -> None:
    async with vehicle(tmp_path) as it:
        await bare_device(it.ether)
        async with await it.central.connect(OXIMETER) as link:
            it.ether.silence(OXIMETER, True)
            reading = asyncio.ensure_future(link.read(SERVICE, PLAIN))
            await asyncio.sleep(0)
            it.ether.drop(OXIMETER)
            with pytest.raises(BleLost):
                await reading
            it.ether.silence(OXIMETER, False)
        async with await it.central.connect(OXIMETER) as link:
            assert await link.read(SERVICE, PLAIN) == b"Argus"


async def test_bond_created_with_a_passkey_is_used_by_later_connections(tmp_path: Path) -> None:
    person = Person(code=123456)
    async with vehicle(tmp_path, person) as it:
        device = await bare_device(it.ether)
        device.pairs(code=123456)
        assert await it.central.pair(OXIMETER) is True
        assert person.asked == [f"passkey {OXIMETER}"]
        async with await it.central.connect(OXIMETER) as link:
            assert link.bonded
            assert device.link.is_encrypted
            assert await link.read(SERVICE, GUARDED) == bytes(8)


async def test_read_of_a_protected_characteristic_without_a_bond_starts_no_pairing(tmp_path: Path) -> None:
    async with vehicle(tmp_path, Person(agrees=False)) as it:
        device = await bare_device(it.ether)
        device.pairs()
        async with await it.central.connect(OXIMETER) as link:
            assert not link.bonded
            with pytest.raises(BleGattError, match="reading 0x2A23 was refused"):
                await link.read(SERVICE, GUARDED)
        assert not await it.backend.bonded(OXIMETER)


async def test_device_that_lost_its_bond_is_connected_after_pairing_again(tmp_path: Path) -> None:
    async with vehicle(tmp_path) as it:
        device = await bare_device(it.ether)
        device.pairs()
        assert await it.central.pair(OXIMETER)
        device.forgets_bonds()
        with pytest.raises(BleUnreachable, match=f"forgotten its bond.*argus-gateway ble pair {OXIMETER}") as told:
            await it.central.connect(OXIMETER)
        assert told.value.bond_lost
        assert await it.central.pair(OXIMETER)
        async with await it.central.connect(OXIMETER) as link:
            assert await link.read(SERVICE, GUARDED) == bytes(8)


async def test_advertiser_that_spoofs_a_bonded_address_is_refused(tmp_path: Path) -> None:
    async with vehicle(tmp_path) as it:
        device = await bare_device(it.ether)
        device.pairs()
        assert await it.central.pair(OXIMETER)
        device.station.close()
        spoofer = await bare_device(it.ether, name="Oximeter")
        spoofer.pairs()
        with pytest.raises(BleUnreachable, match="nothing is taken from it") as told:
            await it.central.connect(OXIMETER)
        assert told.value.bond_lost
        assert spoofer.written == []
        assert await it.backend.bonded(OXIMETER)  # the true device's keys are kept


async def test_bonded_device_reconnects_after_the_adapter_is_replugged(tmp_path: Path) -> None:
    async with vehicle(tmp_path) as it:
        device = await bare_device(it.ether)
        device.pairs()
        assert await it.central.pair(OXIMETER)
        link = await it.central.connect(OXIMETER)
        it.backend.unplug()
        assert list(await link.arrivals()) == []
        await eventually(lambda: it.central.trouble == "no adapter is plugged in")
        it.backend.plugged = True
        async with await it.central.connect(OXIMETER) as again:
            assert again.bonded
        await link.close()


async def test_ten_devices_are_connected_at_the_same_time(tmp_path: Path) -> None:
    async with vehicle(tmp_path, connections_max=10) as it:
        addresses = [f"F0:F1:00:00:01:{number:02X}" for number in range(10)]
        devices = [await bare_device(it.ether, address) for address in addresses]
        links = await asyncio.gather(*(it.central.connect(address) for address in addresses))
        for number, (link, device) in enumerate(zip(links, devices, strict=True)):
            await link.subscribe(SERVICE, NOTIFIED)
            await device.notify(bytes([number]))
        assert [await some(link, 1) for link in links] == [[bytes([number])] for number in range(10)]
        assert it.central.state.endswith("10 of 10 links")
        await asyncio.gather(*(link.close() for link in links))
