"""The controllers of the virtual radio, where they differ from those of the library Bumble."""

import os
import tty
from collections.abc import Callable

import pytest
from bumble.core import TimeoutError as NotInTime
from bumble.device import Connection
from bumble.hci import Address, HCI_Disconnect_Command, HCI_Error, OwnAddressType

from simulators.ble.attach import Station, attach
from simulators.ble.ether import Ether, NoSuchStation
from simulators.ble.radio import VHCI_ADDRESS, Radio, RadioUnusable
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.virtual_radio import OXIMETER, BareDevice, bare_device

CENTRAL = "F0:F1:00:00:00:C0"


async def pair_of(ether: Ether) -> tuple[BareDevice, Station]:
    return await bare_device(ether), await attach(ether, "central", CENTRAL)


async def linked(central: Station, address: str = OXIMETER) -> Connection:
    return await central.device.connect_le(Address(address), own_address_type=OwnAddressType.RANDOM, timeout=WITHIN_S)


def ends_of(*links: Connection) -> list[int]:
    reasons: list[int] = []
    for link in links:
        link.on("disconnection", reasons.append)
    return reasons


async def test_advertisements_reach_only_scanning_controllers() -> None:
    ether = Ether()
    device, central = await pair_of(ether)
    others = [await bare_device(ether, f"F0:F1:00:00:02:{number:02X}") for number in range(5)]
    for station in ether.stations:
        station.le_legacy_advertiser.send_advertising_data()
    assert ether.counts["advertisements"] == 0
    heard: set[str] = set()
    central.device.on("advertisement", lambda told: heard.add(told.address.to_string(False)))
    await central.device.start_scanning()
    await eventually(lambda: len(heard) == 1 + len(others))
    await central.device.stop_scanning()
    assert device.station.device.is_advertising


async def test_hci_disconnect_reason_identifies_the_side_that_ended_the_link() -> None:
    ether = Ether()
    device, central = await pair_of(ether)
    link = await linked(central)
    here, there = ends_of(link), ends_of(device.link)
    await link.disconnect()
    await eventually(lambda: (here, there) == ([0x16], [0x13]))
    with pytest.raises(HCI_Error):
        await central.device.send_async_command(HCI_Disconnect_Command(connection_handle=link.handle, reason=0x13))


async def test_new_link_gets_a_different_connection_handle_than_the_previous_link() -> None:
    ether = Ether()
    device, central = await pair_of(ether)
    first = await linked(central)
    ended = ends_of(first)
    ether.drop(OXIMETER)
    await eventually(lambda: ended == [0x08] and not device.device.connections)
    assert (await linked(central)).handle != first.handle


async def test_connect_succeeds_after_a_timed_out_connect_to_an_absent_device() -> None:
    ether = Ether()
    _, central = await pair_of(ether)
    with pytest.raises(NotInTime):
        await central.device.connect_le(
            Address("F0:F1:00:00:00:99"), own_address_type=OwnAddressType.RANDOM, timeout=0.05
        )
    assert (await linked(central)).peer_address == Address(OXIMETER)


async def test_connect_to_an_address_used_by_two_devices_connects_only_one_of_them() -> None:
    ether = Ether()
    device, central = await pair_of(ether)
    spoofer = await bare_device(ether)
    await linked(central)
    await eventually(lambda: device.device.connections or spoofer.device.connections)
    assert len(device.device.connections) + len(spoofer.device.connections) == 1


async def test_reset_of_a_controller_ends_its_links_and_scans() -> None:
    ether = Ether()
    device, central = await pair_of(ether)
    await linked(central)
    there = ends_of(device.link)
    await central.device.start_scanning()
    await central.reset()
    await eventually(lambda: there == [0x08])
    assert ether.links() == []
    assert not any(station.le_scan_enable for station in ether.stations)
    assert (await linked(central)).peer_address == Address(OXIMETER)


async def test_hci_host_that_exceeds_its_packet_credits_is_disconnected() -> None:
    ether = Ether(supervision_s=60)
    device, central = await pair_of(ether)
    link = await linked(central)
    ended = ends_of(link, device.link)
    ether.silence(OXIMETER, True)
    (station,) = ether.at(CENTRAL)
    for _ in range(200):
        station.on_packet(b"\x02" + link.handle.to_bytes(2, "little") + b"\x05\x00" + b"\x01\x00\x04\x00\x02")
    await eventually(lambda: ended == [0x08, 0x08])


async def test_link_rssi_is_the_configured_rssi_of_the_peer() -> None:
    ether = Ether()
    _, central = await pair_of(ether)
    link = await linked(central)
    ether.rssi(OXIMETER, -83)
    assert await link.get_rssi() == -83
    with pytest.raises(NoSuchStation):
        ether.rssi("F0:F1:00:00:00:99", -83)


async def test_address_that_is_not_static_random_is_rejected() -> None:
    with pytest.raises(ValueError, match="static"):
        await attach(Ether(), "wrong", "30:F1:00:00:00:01")


async def test_vhci_adapter_responds_to_kernel_commands_and_can_be_unplugged() -> None:
    ours, kernels = os.openpty()
    tty.setraw(ours)
    tty.setraw(kernels)
    os.set_blocking(ours, False)
    ether = Ether()
    radio = Radio(ether, vhci_path=os.ttyname(kernels))
    await radio.plug_vhci(True)
    came = bytearray()
    assert await eventually(_reader(ours, came, 2)) == b"\xff\x00"  # make me a controller
    os.write(ours, b"\xff\x00\x00\x00")  # the kernel: it is hci0
    os.write(ours, b"\x01\x09\x10\x00")  # Read BD_ADDR
    answer = await eventually(_reader(ours, came, 15))
    assert answer[-6:] == bytes.fromhex(VHCI_ADDRESS.replace(":", ""))[::-1]
    assert len(ether.stations) == 1
    await radio.plug_vhci(False)
    assert ether.stations == []
    os.close(ours)
    os.close(kernels)


def _reader(descriptor: int, came: bytearray, wanted: int) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            came.extend(os.read(descriptor, 4096))
        except BlockingIOError:
            return b""
        return bytes(came) if len(came) >= wanted else b""

    return read


async def test_plugging_a_vhci_adapter_fails_without_the_vhci_device_file() -> None:
    with pytest.raises(RadioUnusable, match="No such file"):
        await Radio(Ether(), vhci_path="/dev/no-vhci-here").plug_vhci(True)
