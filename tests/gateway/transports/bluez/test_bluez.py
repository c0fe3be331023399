"""The gateway's BlueZ backend over a real D-Bus, with a service that behaves like bluetoothd."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dbus_fast import Variant

from gateway.transports.ble.stack import BleUnavailable
from gateway.transports.bluez.backend import BluezBackend
from gateway.transports.bluez.bus import ADAPTER, DEVICE
from tests.harness.eventually import eventually
from tests.harness.fake_bluez import HCI0, OXIMETER, FakeBluez, Refused, path_of
from tests.harness.private_bus import PrivateBus, needs_dbus, private_bus

pytestmark = needs_dbus


class Person:
    """A person at a pairing, who replies to a passkey request with `passkey` and to a request to confirm with `agrees`.
    If `thinks` is an asyncio event, the reply to a passkey request waits for the event."""

    def __init__(self, *, passkey: int | None = None, agrees: bool = False) -> None:
        self._passkey, self._agrees = passkey, agrees
        self.asked: list[tuple[str, int | None]] = []
        self.thinks: asyncio.Event | None = None

    async def passkey(self, address: str) -> int | None:
        self.asked.append((address, None))
        if self.thinks is not None:
            await self.thinks.wait()
        return self._passkey

    async def confirm(self, address: str, passkey: int | None) -> bool:
        self.asked.append((address, passkey))
        return self._agrees


@pytest.fixture
async def system_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PrivateBus]:
    async with private_bus(tmp_path, monkeypatch) as bus:
        yield bus


@pytest.fixture
async def bluez(system_bus: PrivateBus) -> AsyncIterator[FakeBluez]:
    daemon = FakeBluez()
    daemon.add_adapter()
    await daemon.start()
    yield daemon
    await daemon.die()


async def opened(person: Person | None = None, adapter: str | None = None) -> BluezBackend:
    backend = BluezBackend(adapter, Path())
    await backend.open(person or Person())
    return backend


async def refusal(adapter: str | None = None) -> str:
    with pytest.raises(BleUnavailable, match="no Bluetooth device can connect") as refused:
        await opened(adapter=adapter)
    return str(refused.value)


async def test_opening_the_bluez_backend_powers_the_adapter_on_and_registers_a_pairing_agent(bluez):
    backend = await opened()
    assert bluez.objects[HCI0][ADAPTER]["Powered"].value is True
    assert bluez.agent[1:] == ("/argus/pairing", "KeyboardDisplay")
    assert bluez.default_agent
    await backend.close()
    await backend.close()


async def test_adapter_is_selected_by_name_or_by_address(bluez):
    bluez.add_adapter("hci1", "00:11:22:33:44:66")
    for wanted, path in ((None, "hci0"), ("hci1", "hci1"), ("00:11:22:33:44:66", "hci1")):
        backend = await opened(adapter=wanted)
        assert bluez.objects[f"/org/bluez/{path}"][ADAPTER]["Powered"].value is True
        await backend.close()


async def test_missing_system_bus_is_reported_with_the_packages_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    assert "apt install dbus bluez" in await refusal()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "nonsense")
    assert "the D-Bus system bus cannot be reached" in await refusal()


async def test_missing_bluetoothd_is_reported_with_the_command_to_start_it(system_bus):
    assert "systemctl start bluetooth" in await refusal()


async def test_denied_access_to_bluetoothd_is_reported_with_the_group_to_join(bluez):
    bluez.refusals["GetManagedObjects"] = [Refused("org.freedesktop.DBus.Error.AccessDenied")]
    assert "usermod -aG bluetooth" in await refusal()


async def test_missing_adapter_is_reported_with_the_available_adapters(bluez):
    assert "there is not a Bluetooth adapter hci7 (there is hci0 (00:11:22:33:44:55))" in await refusal("hci7")
    bluez.remove(HCI0)
    assert "there is none at all" in await refusal()


async def test_blocked_adapter_is_reported_with_the_rfkill_command(bluez):
    bluez.refusals["Set"] = [Refused("org.bluez.Error.Failed", "Blocked through rfkill")]
    assert "rfkill unblock bluetooth" in await refusal()


async def test_passkey_request_of_bluetoothd_is_passed_to_the_operator(bluez):
    bluez.add_device()
    person = Person(passkey=123456)
    backend = await opened(person)
    assert await bluez.call_agent("RequestPasskey", "o", path_of(OXIMETER)) == 123456
    assert person.asked == [(OXIMETER, None)]
    await backend.close()


async def test_pairing_request_not_started_by_the_operator_is_rejected(bluez):
    bluez.add_device()
    backend = await opened(Person(agrees=False))
    for member, signature, *body in (
        ("RequestPasskey", "o"),
        ("RequestConfirmation", "ou", 42),
        ("RequestAuthorization", "o"),
        ("RequestPinCode", "o"),
        ("DisplayPinCode", "os", "0000"),
        ("AuthorizeService", "os", "0000110b-0000-1000-8000-00805f9b34fb"),
    ):
        with pytest.raises(Refused) as refused:
            await bluez.call_agent(member, signature, path_of(OXIMETER), *body)
        assert refused.value.name == "org.bluez.Error.Rejected"
    await backend.close()


async def test_numeric_comparison_and_just_works_pairing_are_confirmed_by_the_operator(bluez):
    bluez.add_device()
    person = Person(agrees=True)
    backend = await opened(person)
    await bluez.call_agent("RequestConfirmation", "ou", path_of(OXIMETER), 654321)
    await bluez.call_agent("RequestAuthorization", "o", path_of(OXIMETER))
    await bluez.call_agent("DisplayPasskey", "ouq", path_of(OXIMETER), 111111, 0)
    await bluez.call_agent("DisplayPasskey", "ouq", path_of(OXIMETER), 111111, 1)
    assert person.asked == [(OXIMETER, 654321), (OXIMETER, None), (OXIMETER, 111111)]
    await backend.close()


async def test_passkey_request_cancelled_by_bluetoothd_gets_no_passkey(bluez):
    bluez.add_device()
    person = Person(passkey=1)
    person.thinks = asyncio.Event()
    backend = await opened(person)
    question = asyncio.ensure_future(bluez.call_agent("RequestPasskey", "o", path_of(OXIMETER)))
    await eventually(lambda: person.asked)
    await bluez.call_agent("Cancel")
    with pytest.raises(Refused, match="Canceled"):
        await question
    await bluez.call_agent("Release")
    await backend.close()


async def test_bonds_are_read_from_bluetoothd_and_removed_with_the_device(bluez):
    bluez.add_device(Bonded=Variant("b", True))
    backend = await opened()
    assert await backend.bonded(OXIMETER.lower())
    assert not await backend.bonded("F0:F1:00:00:00:09")
    await backend.forget(OXIMETER)
    assert path_of(OXIMETER) not in bluez.objects
    assert not await backend.bonded(OXIMETER)
    await backend.forget(OXIMETER)
    await backend.close()


async def test_device_reported_as_paired_by_an_older_bluetoothd_is_treated_as_bonded(bluez):
    bluez.add_device(Paired=Variant("b", True))
    del bluez.objects[path_of(OXIMETER)][DEVICE]["Bonded"]
    backend = await opened()
    assert await backend.bonded(OXIMETER)
    await backend.close()


async def test_devices_left_connected_by_a_dead_process_are_listed_and_disconnected(bluez):
    bluez.add_device(Connected=Variant("b", True))
    bluez.add_device("F0:F1:00:00:00:02")
    backend = await opened()
    assert list(await backend.connected()) == [OXIMETER]
    await backend.disconnect(OXIMETER)
    assert list(await backend.connected()) == []
    await backend.close()


async def why_gone(backend: BluezBackend) -> str:
    async with asyncio.timeout(30):
        return await backend.wait_until_lost()


async def test_exit_of_bluetoothd_is_detected_and_the_adapter_is_opened_after_its_restart(bluez):
    backend = await opened()
    await bluez.die()
    assert await why_gone(backend) == "bluetoothd has ended"
    with pytest.raises(BleUnavailable, match="bluetoothd is not running"):
        await backend.open(Person())
    await bluez.start()
    await backend.open(Person())
    await backend.close()


async def test_removed_or_powered_off_adapter_is_detected(bluez):
    bluez.add_adapter("hci1", "00:11:22:33:44:66")
    backend = await opened()
    bluez.remove("/org/bluez/hci1")
    bluez.change(HCI0, ADAPTER, Powered=Variant("b", False))
    assert await why_gone(backend) == "the adapter hci0 was switched off"
    await backend.open(Person())
    bluez.remove(HCI0)
    assert await why_gone(backend) == "the adapter hci0 was removed"
    await backend.close()


async def test_loss_of_the_dbus_connection_is_detected(bluez, system_bus):
    backend = await opened()
    await system_bus.kill()
    assert (await why_gone(backend)).startswith("the D-Bus connection")
    await backend.close()
    assert "the D-Bus system bus cannot be reached" in await refusal()


async def test_power_cycle_by_the_gateway_is_not_reported_as_adapter_loss(bluez):
    backend = await opened()
    gone = asyncio.ensure_future(backend.wait_until_lost())
    await backend.power_cycle()
    powered = [call for call in bluez.calls if call == f"Set {HCI0}"]
    assert len(powered) == 3
    assert await backend.connected() == []
    assert not gone.done()
    await backend.close()
    assert await gone == "the adapter was closed"


async def test_scanner_reports_only_devices_with_a_received_advertisement(bluez):
    backend = await opened()
    heard: list[tuple[str, int]] = []
    scanner = backend.scanner(lambda device, told: heard.append((device.address, told.rssi)))
    await scanner.start()
    bluez.add_device("F0:F1:00:00:00:02", heard=False)
    bluez.change(path_of("F0:F1:00:00:00:02"), DEVICE, Connected=Variant("b", False))
    bluez.add_device()
    await eventually(lambda: heard)
    assert heard == [(OXIMETER, -60)]
    await scanner.stop()
    await backend.close()
