"""The central over bleak's own BlueZ backend: discovery, connection, loss, reconnection, a killed daemon, a removed
bond.

A service stands in for bluetoothd (tests/harness/fake_bluez); the real one is tested in a virtual machine.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dbus_fast import Variant

from gateway.transports.ble.central import BleCentral
from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.faults import BleGattError, BleUnreachable
from gateway.transports.ble.options import CentralOptions, ScanOptions
from gateway.transports.bluez.backend import BluezBackend
from gateway.transports.clock import SystemClock
from tests.harness.eventually import eventually
from tests.harness.fake_bluez import ADAPTER, DEVICE, HCI0, OXIMETER, FakeBluez, Refused, path_of
from tests.harness.private_bus import needs_dbus, private_bus
from tests.harness.scripted_radio import DecliningAgent

pytestmark = needs_dbus


@pytest.fixture
async def bluez(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeBluez]:
    async with private_bus(tmp_path, monkeypatch):
        daemon = FakeBluez()
        daemon.add_adapter()
        await daemon.start()
        yield daemon
        await daemon.die()


@asynccontextmanager
async def running(**options: float) -> AsyncIterator[BleCentral]:
    options = {"reopen_s": 0.05, "look_again_s": 0.2, **options}
    central = BleCentral(
        BluezBackend(None, Path()),
        SystemClock(),
        CentralOptions(**options, scan=ScanOptions(wanted_silence_s=0.2)),
        DecliningAgent(),
        chance=lambda: 0.0,
    )
    runs = asyncio.ensure_future(central.run())
    try:
        await eventually(lambda: not central.trouble)
        yield central
    finally:
        runs.cancel()
        await asyncio.wait({runs})


async def octets(link: BleConnection) -> list[bytes]:
    async with asyncio.timeout(30):
        return [each.octets for each in await link.arrivals()]


async def scanning(bluez: FakeBluez, central: BleCentral) -> None:
    """Wait until the central scans; the caller has cleared the calls. bleak reads all objects before it scans, and
    forgets a device that is added at the moment of the reply."""
    await eventually(lambda: f"StartDiscovery {HCI0}" in bluez.calls and not central.trouble)


async def subscribed(central: BleCentral) -> BleConnection:
    link = await central.connect(OXIMETER)
    await link.subscribe(0x1822, 0x2A5F)
    return link


async def test_advertising_device_is_connected_and_can_be_read_and_written(bluez):
    bluez.add_device()
    bluez.add_table()
    async with running() as central:
        async with await subscribed(central) as link:
            assert link.services() == (0x1822,)
            assert await link.read(0x1822, 0x2A60) == b"\x01\x02"
            await link.write(0x1822, 0x2A60, b"\x07")
            bluez.notify(b"\x61")
            assert await octets(link) == [b"\x61"]
        assert bluez.written == [b"\x07"]
        assert f"Disconnect {path_of(OXIMETER)}" in bluez.calls


async def test_each_notified_value_is_received_once_across_reconnections(bluez):
    bluez.add_device()
    bluez.add_table()
    async with running() as central:
        for number in range(5):
            async with await subscribed(central) as link:
                bluez.notify(bytes([number]))
                assert await octets(link) == [bytes([number])]
                bluez.lose()
                assert await octets(link) == []
                assert link.arrived == 1


async def test_device_discovery_is_stopped_while_a_link_is_connected(bluez):
    bluez.add_device()
    bluez.add_table()
    async with running() as central, await central.connect(OXIMETER):
        await eventually(lambda: bluez.calls.count(f"StartDiscovery {HCI0}") >= 2)
        steps = [
            call.split()[0] for call in bluez.calls if call.split()[0] in ("StartDiscovery", "StopDiscovery", "Connect")
        ]
        assert steps[:4] == ["StartDiscovery", "StopDiscovery", "Connect", "StartDiscovery"]


async def test_connect_is_retried_after_transient_errors_of_bluetoothd(bluez):
    bluez.add_device()
    bluez.add_table()
    bluez.refusals["Connect"] = [
        Refused("org.bluez.Error.InProgress", "Operation already in progress"),
        Refused("org.bluez.Error.Failed", "br-connection-canceled"),
    ]
    async with running() as central, await central.connect(OXIMETER) as link:
        assert not link.ended.is_set()


async def test_device_removed_from_bluetoothd_after_the_scan_is_found_again(bluez):
    bluez.add_device()
    bluez.refusals["Connect"] = [Refused("org.freedesktop.DBus.Error.UnknownObject", "Method Connect doesn't exist")]
    bluez.add_table()
    async with running() as central:
        connecting = asyncio.ensure_future(central.connect(OXIMETER))
        await eventually(lambda: not bluez.refusals["Connect"])
        bluez.hear()
        async with await connecting as link:
            assert link.has(0x1822, 0x2A5F)


async def test_connect_is_retried_until_bluetoothd_exports_the_resolved_services(bluez):
    bluez.add_device()
    async with running() as central:
        connecting = asyncio.ensure_future(central.connect(OXIMETER))
        await eventually(lambda: f"Connect {path_of(OXIMETER)}" in bluez.calls)
        bluez.add_table()
        async with await connecting as link:
            assert link.services() == (0x1822,)


async def test_device_already_connected_in_bluetoothd_is_disconnected_before_connecting(bluez):
    bluez.add_device(heard=False, Connected=Variant("b", True), ServicesResolved=Variant("b", True))
    bluez.add_table()
    async with running() as central:
        connecting = asyncio.ensure_future(central.connect(OXIMETER))
        await eventually(lambda: f"Disconnect {path_of(OXIMETER)}" in bluez.calls)
        bluez.hear()
        async with await connecting:
            assert f"Connect {path_of(OXIMETER)}" in bluez.calls


async def test_links_reconnect_after_a_restart_of_a_killed_bluetoothd(bluez):
    bluez.add_device()
    bluez.add_table()
    async with running() as central:
        link = await subscribed(central)
        await bluez.die()
        assert await octets(link) == []
        assert link.why == "bluetoothd has ended"
        await link.close()
        await eventually(lambda: "bluetoothd is not running" in central.trouble)
        # A restarted daemon knows the device, but not that it was connected.
        bluez.objects.clear()
        bluez.calls.clear()
        bluez.add_adapter()
        await bluez.start()
        await scanning(bluez, central)
        connecting = asyncio.ensure_future(subscribed(central))
        bluez.add_device()
        bluez.add_table()
        async with await connecting as again:
            bluez.notify(b"\x62")
            assert await octets(again) == [b"\x62"]


async def test_gatt_services_are_read_again_after_a_restart_of_bluetoothd(bluez):
    bluez.add_device()
    bluez.add_table()
    async with running() as central:
        link = await central.connect(OXIMETER)
        assert link.services() == (0x1822,)
        await bluez.die()
        await link.ended.wait()
        await link.close()
        bluez.objects.clear()
        bluez.calls.clear()
        bluez.add_adapter()
        await bluez.start()
        await scanning(bluez, central)
        connecting = asyncio.ensure_future(central.connect(OXIMETER))
        bluez.add_device()
        bluez.add_table(name="service0020", uuid=0x1810)
        async with await connecting as again:
            assert again.services() == (0x1810,)


async def test_links_reconnect_when_a_removed_adapter_is_plugged_in_again(bluez):
    bluez.add_device()
    bluez.add_table()
    async with running() as central:
        link = await subscribed(central)
        bluez.remove(HCI0)
        assert await octets(link) == []
        await eventually(lambda: "there is none at all" in central.trouble)
        bluez.calls.clear()
        bluez.add_adapter()
        await scanning(bluez, central)
        assert bluez.objects[HCI0][ADAPTER]["Powered"].value is True
        connecting = asyncio.ensure_future(central.connect(OXIMETER))
        bluez.add_device()
        bluez.add_table()
        async with await connecting as again:
            assert not again.ended.is_set()
        assert link.why == "the adapter hci0 was removed"


async def test_lost_bond_of_a_peer_is_detected_from_repeated_disconnections(bluez):
    bluez.add_device(Bonded=Variant("b", True), Paired=Variant("b", True))
    bluez.add_table()

    async def breaks_when_encrypted(path: str) -> None:
        for _ in range(10):
            for connected in (True, False):
                bluez.change(path, DEVICE, Connected=Variant("b", connected))
                await asyncio.sleep(0)
        raise Refused("org.bluez.Error.Failed", "le-connection-abort-by-local")

    bluez.on_connect = breaks_when_encrypted
    async with running() as central:
        with pytest.raises(BleUnreachable, match="forgotten its bond") as told:
            await central.connect(OXIMETER)
        assert told.value.bond_lost
    assert path_of(OXIMETER) in bluez.objects


async def test_subscription_fails_with_a_gatt_error_while_another_process_has_the_notifications(bluez):
    bluez.add_device()
    bluez.add_table()
    bluez.refusals["StartNotify"] = [Refused("org.bluez.Error.NotPermitted", "Notify acquired")]
    async with running() as central, await central.connect(OXIMETER) as link:
        with pytest.raises(BleGattError, match="notifications are held by a link that has ended"):
            await link.subscribe(0x1822, 0x2A5F)
