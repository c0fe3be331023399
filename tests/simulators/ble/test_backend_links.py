"""bleak's own API on the virtual radio: finding, connecting, reading, subscribing, and every way to lose a link."""

import asyncio
from pathlib import Path

import pytest
from bleak.backends.device import BLEDevice
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)
from bumble.hci import OwnAddressType

from gateway.transports.ble.stack import BleUnavailable
from simulators.ble.attach import attach
from simulators.ble.backend import VirtualRadio
from simulators.ble.ether import Ether
from tests.harness.eventually import eventually
from tests.harness.virtual_radio import (
    OXIMETER,
    REFUSED,
    Arrivals,
    Losses,
    Person,
    RadioHere,
    bare_device,
    connect,
    find,
)

NOTIFIED, INDICATED, PLAIN = "2a5f", "2a1c", "2a29"


async def radio(tmp_path: Path, ether: Ether) -> RadioHere:
    backend = RadioHere(ether, tmp_path / "bonds")
    await backend.open(Person())
    return backend


async def test_scan_returns_the_address_and_name_and_services_and_rssi_of_a_device(tmp_path: Path) -> None:
    ether = Ether()
    backend, _ = await radio(tmp_path, ether), await bare_device(ether)
    ether.rssi(OXIMETER, -71)
    heard: list[tuple[str, str | None, list[str], int]] = []
    scanner = backend.scanner(lambda d, told: heard.append((d.address, told.local_name, told.service_uuids, told.rssi)))
    await scanner.start()
    await eventually(lambda: heard)
    await scanner.stop()
    address, name, services, rssi_dbm = heard[0]
    assert (address, name) == (OXIMETER, "Oximeter")
    assert services == ["00001822-0000-1000-8000-00805f9b34fb"]
    assert abs(rssi_dbm + 71) <= 2
    await backend.close()


async def test_scan_for_a_service_omits_devices_without_that_service(tmp_path: Path) -> None:
    ether = Ether()
    backend, _ = await radio(tmp_path, ether), await bare_device(ether)
    heard: list[str] = []
    other = backend.scanner(lambda d, _told: heard.append(d.address), ["00001810-0000-1000-8000-00805f9b34fb"])
    await other.start()
    await eventually(lambda: ether.counts["advertisements"] >= 3)
    await other.stop()
    assert heard == []
    await backend.close()


async def test_second_concurrent_scan_fails_with_the_in_progress_error_of_bluez(tmp_path: Path) -> None:
    backend = await radio(tmp_path, Ether())
    first, second = backend.scanner(lambda _device, _told: None), backend.scanner(lambda _device, _told: None)
    await first.start()
    with pytest.raises(BleakDBusError, match="InProgress"):
        await second.start()
    await first.stop()
    await second.start()
    await second.stop()
    await backend.close()


async def test_connected_device_lists_its_services_and_responds_to_read_and_write_requests(tmp_path: Path) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether), await bare_device(ether)
    client = await connect(backend)
    assert client.is_connected
    assert client.mtu_size == 517
    characteristic = client.services.get_characteristic(PLAIN)
    assert characteristic is not None
    assert characteristic.properties == ["read", "write"]
    assert await client.read_gatt_char(PLAIN) == b"Argus"
    await client.write_gatt_char(PLAIN, b"\x05", response=True)
    assert device.written == [b"\x05"]
    assert await backend.connected() == [OXIMETER]
    await backend.close()


async def test_notifications_arrive_in_order_and_indications_are_confirmed(tmp_path: Path) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether), await bare_device(ether)
    client, notified, indicated = await connect(backend), Arrivals(), Arrivals()
    await client.start_notify(NOTIFIED, notified)
    await client.start_notify(INDICATED, indicated)
    for number in range(300):
        await device.notify(number.to_bytes(2, "little"))
    await device.indicate(b"\x2a")
    assert indicated.octets == [b"\x2a"]
    assert await notified.wait_for(300) == [number.to_bytes(2, "little") for number in range(300)]
    await client.stop_notify(NOTIFIED)
    await device.notify(b"\xff")
    await device.indicate(b"\x2b")
    assert len(notified.octets) == 300
    await backend.close()


async def test_notification_of_500_bytes_arrives_complete(tmp_path: Path) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether), await bare_device(ether)
    client, notified = await connect(backend), Arrivals()
    await client.start_notify(NOTIFIED, notified)
    await device.notify(bytes(range(256)) + bytes(244))
    assert await notified.wait_for(1) == [bytes(range(256)) + bytes(244)]
    await backend.close()


async def test_disconnection_by_the_device_is_reported_once_to_the_client(tmp_path: Path) -> None:
    ether = Ether()
    backend, device, lost = await radio(tmp_path, ether), await bare_device(ether), Losses()
    client = await connect(backend, lost=lost)
    await device.link.disconnect()
    await lost.first()
    assert lost.clients == [client]
    assert not client.is_connected
    with pytest.raises(BleakError):
        await client.read_gatt_char(PLAIN)
    await client.disconnect()
    assert lost.clients == [client]
    await backend.close()


async def test_dropped_link_is_reported_to_the_client_and_to_the_device(tmp_path: Path) -> None:
    ether = Ether()
    backend, device, lost = await radio(tmp_path, ether), await bare_device(ether), Losses()
    await connect(backend, lost=lost)
    reasons: list[int] = []
    device.link.on("disconnection", reasons.append)
    assert ether.drop(OXIMETER) == 1
    await lost.first()
    await eventually(lambda: reasons == [0x08])
    await backend.close()


async def test_silent_device_is_disconnected_after_the_supervision_timeout(
    tmp_path: Path,
) -> None:
    ether = Ether(supervision_s=0.05)
    backend, _, lost = await radio(tmp_path, ether), await bare_device(ether), Losses()
    await connect(backend, lost=lost)
    ether.silence(OXIMETER, True)
    await lost.first()
    before = ether.counts["advertisements"]
    scan = asyncio.ensure_future(find(backend, OXIMETER))
    await asyncio.wait({scan}, timeout=0.1)
    assert (scan.done(), ether.counts["advertisements"]) == (False, before)
    ether.silence(OXIMETER, False)
    assert (await scan).address == OXIMETER
    await backend.close()


async def test_packets_arrive_after_a_silence_shorter_than_the_supervision_timeout(tmp_path: Path) -> None:
    ether = Ether(supervision_s=60)
    backend, device = await radio(tmp_path, ether), await bare_device(ether)
    client, notified = await connect(backend), Arrivals()
    await client.start_notify(NOTIFIED, notified)
    ether.silence(OXIMETER, True)
    for number in range(100):
        await device.notify(bytes([number]))
    answer = asyncio.ensure_future(client.read_gatt_char(PLAIN))
    await asyncio.wait({answer}, timeout=0.05)
    assert (notified.octets, answer.done()) == ([], False)
    ether.silence(OXIMETER, False)
    assert await answer == b"Argus"
    assert await notified.wait_for(100) == [bytes([number]) for number in range(100)]
    assert client.is_connected
    await backend.close()


async def test_request_pending_at_link_loss_raises_a_bleak_error(tmp_path: Path) -> None:
    ether = Ether(supervision_s=60)
    backend, _ = await radio(tmp_path, ether), await bare_device(ether)
    client = await connect(backend)
    ether.silence(OXIMETER, True)
    reading, writing = (
        asyncio.ensure_future(client.read_gatt_char(PLAIN)),
        asyncio.ensure_future(client.write_gatt_char(PLAIN, b"\x01", response=True)),
    )
    await asyncio.wait({reading, writing}, timeout=0.05)
    ether.drop(OXIMETER)
    for task in (reading, writing):
        with pytest.raises(BleakError, match="Not connected"):
            await task
    await backend.close()


async def test_response_to_a_cancelled_read_is_not_returned_for_the_next_read(tmp_path: Path) -> None:
    ether = Ether(supervision_s=60)
    backend, _ = await radio(tmp_path, ether), await bare_device(ether)
    client = await connect(backend)
    ether.silence(OXIMETER, True)
    abandoned = asyncio.ensure_future(client.read_gatt_char("2a00"))
    await asyncio.wait({abandoned}, timeout=0.02)
    abandoned.cancel()
    await asyncio.wait({abandoned})
    ether.silence(OXIMETER, False)
    assert await client.read_gatt_char(PLAIN) == b"Argus"
    await backend.close()


async def test_device_can_be_reconnected_after_each_of_20_lost_links(tmp_path: Path) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether), await bare_device(ether)
    for number in range(20):
        lost = Losses()
        client, notified = await connect(backend, lost=lost), Arrivals()
        await client.start_notify(NOTIFIED, notified)
        await device.notify(bytes([number]))
        assert await notified.wait_for(1) == [bytes([number])]
        ether.drop(OXIMETER)
        await lost.first()
        await client.disconnect()
        await eventually(lambda: not device.device.connections)
    assert await backend.connected() == []
    assert ether.links() == []
    await backend.close()


async def test_connect_to_an_unknown_or_silent_device_fails(tmp_path: Path) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether), await bare_device(ether)
    stranger = backend.client(BLEDevice("F0:F1:00:00:00:77", None, {}), Losses())
    with pytest.raises(BleakDeviceNotFoundError):
        await stranger.connect()
    found = await find(backend, OXIMETER)
    ether.silence(OXIMETER, True)
    with pytest.raises(TimeoutError):
        await backend.client(found, Losses()).connect(timeout=0.1)
    ether.silence(OXIMETER, False)
    client = backend.client(found, Losses())
    await client.connect()
    assert client.is_connected
    assert len(device.device.connections) == 1
    await backend.close()


async def test_cancelled_connect_leaves_no_open_link(tmp_path: Path) -> None:
    ether = Ether()
    backend, _ = await radio(tmp_path, ether), await bare_device(ether)
    found = await find(backend, OXIMETER)
    for steps in range(0, 60, 3):  # cancelled at ever later points, from before the attempt to past discovery
        client = backend.client(found, Losses())
        connecting = asyncio.ensure_future(client.connect())
        for _ in range(steps):
            await asyncio.sleep(0)
        connecting.cancel()
        await asyncio.wait({connecting})
        await client.disconnect()
    await eventually(lambda: not ether.links())
    client = backend.client(found, Losses())
    await client.connect()
    assert await client.read_gatt_char(PLAIN) == b"Argus"
    await backend.close()


async def test_connect_above_the_connection_limit_fails_until_a_link_is_closed(tmp_path: Path) -> None:
    ether = Ether()
    backend = await radio(tmp_path, ether)
    (adapter,) = ether.stations
    adapter.links_max = 1
    second = "F0:F1:00:00:00:02"
    await bare_device(ether)
    await bare_device(ether, second)
    client = await connect(backend)
    with pytest.raises(BleakDBusError, match="concurrent-connection-limit"):
        await connect(backend, second)
    await client.disconnect()
    assert (await connect(backend, second)).is_connected
    await backend.close()


async def test_backend_calls_fail_while_the_adapter_is_removed(tmp_path: Path) -> None:
    ether = Ether()
    backend, device, lost = await radio(tmp_path, ether), await bare_device(ether), Losses()
    await connect(backend, lost=lost)
    gone = asyncio.ensure_future(backend.wait_until_lost())
    backend.unplug()
    assert "gone" in await gone
    await lost.first()
    with pytest.raises(BleakBluetoothNotAvailableError):
        await backend.scanner(lambda _device, _told: None).start()
    with pytest.raises(BleakError):
        await backend.client(BLEDevice(OXIMETER, None, {}), Losses()).connect()
    with pytest.raises(BleUnavailable):
        await backend.open(Person())
    await eventually(lambda: not device.device.connections)
    backend.plugged = True
    await backend.open(Person())
    assert (await connect(backend)).is_connected
    await backend.close()


async def test_removal_of_the_adapter_ends_a_pending_connect(tmp_path: Path) -> None:
    ether = Ether()
    backend, _ = await radio(tmp_path, ether), await bare_device(ether)
    found = await find(backend, OXIMETER)
    ether.silence(OXIMETER, True)
    connecting = asyncio.ensure_future(backend.client(found, Losses()).connect())
    await eventually(lambda: any(station.pending_le_connection for station in ether.stations))
    backend.unplug()
    with pytest.raises(BleakError, match="not found"):
        await connecting


async def test_power_cycle_of_the_adapter_ends_links_and_scans(tmp_path: Path) -> None:
    ether = Ether()
    backend, _, lost = await radio(tmp_path, ether), await bare_device(ether), Losses()
    await connect(backend, lost=lost)
    heard: list[str] = []
    scanner = backend.scanner(lambda device, _told: heard.append(device.address))
    await scanner.start()
    await backend.power_cycle()
    await lost.first()
    assert ether.links() == []
    heard.clear()
    assert (await connect(backend)).is_connected
    assert heard == []  # its scan ended with the power
    await scanner.stop()
    await backend.close()


async def test_every_notification_arrives_over_ten_concurrent_links(tmp_path: Path) -> None:
    ether = Ether()
    backend = await radio(tmp_path, ether)
    addresses = [f"F0:F1:00:00:01:{number:02X}" for number in range(10)]
    devices = [await bare_device(ether, address) for address in addresses]
    arrivals = [Arrivals() for _ in addresses]
    for address, arrived in zip(addresses, arrivals, strict=True):
        await (await connect(backend, address)).start_notify(NOTIFIED, arrived)
    for number in range(20):
        for device in devices:
            await device.notify(bytes([number]))
    for arrived in arrivals:
        assert await arrived.wait_for(20) == [bytes([number]) for number in range(20)]
    assert len(await backend.connected()) == 10
    await backend.close()
    assert ether.links() == []


async def test_device_with_a_public_address_is_found_and_connected(tmp_path: Path) -> None:
    ether = Ether()
    backend, address = await radio(tmp_path, ether), "00:11:22:33:44:55"
    device = await attach(ether, "Cuff", address, public=True)
    await device.device.start_advertising(
        advertising_interval_min=20, advertising_interval_max=20, own_address_type=OwnAddressType.PUBLIC
    )
    client = await connect(backend, address)
    assert client.address == address
    await backend.close()


async def test_rejected_write_raises_a_gatt_protocol_error_with_the_error_code(tmp_path: Path) -> None:
    ether = Ether()
    backend, _ = await radio(tmp_path, ether), await bare_device(ether)
    client = await connect(backend)
    with pytest.raises(BleakGATTProtocolError) as refused:
        await client.write_gatt_char(PLAIN, REFUSED, response=True)
    assert refused.value.code == 0x80
    with pytest.raises(BleakGATTProtocolError) as too_long:
        await client.write_gatt_char(PLAIN, bytes(600), response=False)
    assert too_long.value.code == 0x0D
    await backend.close()


async def test_malformed_packets_of_a_device_do_not_affect_other_links(tmp_path: Path) -> None:
    ether = Ether()
    backend, device = await radio(tmp_path, ether), await bare_device(ether)
    other = await bare_device(ether, "F0:F1:00:00:00:02")
    client, arrived = await connect(backend, "F0:F1:00:00:00:02"), Arrivals()
    await client.start_notify(NOTIFIED, arrived)
    await connect(backend)
    for channel in (4, 6):  # ATT, SMP
        for octets in (b"", b"\x1b", b"\x1b\x00", b"\x1d\x01", b"\x0b", b"\x05\x02\x07", b"\xff" * 20, b"\x0b\x01\x02"):
            device.link.send_l2cap_pdu(channel, octets)
    await other.notify(b"\x01")
    assert await arrived.wait_for(1) == [b"\x01"]
    assert await client.read_gatt_char(PLAIN) == b"Argus"
    await backend.close()


async def test_virtual_radio_without_a_socket_raises_ble_unavailable_on_open(tmp_path: Path) -> None:
    with pytest.raises(BleUnavailable, match="socket"):
        await VirtualRadio(None, tmp_path).open(Person())
    with pytest.raises(BleUnavailable, match="no radio at"):
        await VirtualRadio(str(tmp_path / "nothing"), tmp_path).open(Person())
