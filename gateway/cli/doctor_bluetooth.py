"""Findings of `doctor` about Bluetooth: the stack, the adapter, and whether paired devices are bonded.

A running gateway reports the state of its adapter. Without a running gateway, only files are read: a scan or an open
adapter would disturb a gateway that starts now.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.cli.finding import BLUETOOTH, Finding
from gateway.settings import BLUEZ, Settings
from gateway.transports.ble.backend import BleBackendUnusable, load_ble_backend

DBUS_SOCKET = Path("/run/dbus/system_bus_socket")
ADAPTERS = Path("/sys/class/bluetooth")
SWITCHES = Path("/sys/class/rfkill")


def bluetooth_findings(settings: Settings, status: dict[str, Any] | None) -> Iterator[Finding]:
    """Yield findings about Bluetooth. `status` is the status of the running gateway; None where none runs."""
    assert settings.bluetooth is not None
    stack, section = settings.bluetooth
    try:
        load_ble_backend(stack)
    except BleBackendUnusable as error:
        yield BLUETOOTH.wrong(error.diagnosis)
        return
    bluetooth = None if status is None else status.get("bluetooth")
    if bluetooth is not None:
        yield from _running(bluetooth)
    elif stack == BLUEZ:
        yield from machine_findings(section.adapter, DBUS_SOCKET, ADAPTERS, SWITCHES)
    if not section.require_bond:
        yield BLUETOOTH.unwise(
            "[ble] require_bond is false: a device that does not bond is accepted without a warning, and any sender "
            "of its address is taken for it; leave it true and pair such a device with --without-bond."
        )


def _running(state: dict[str, Any]) -> Iterator[Finding]:
    if state["trouble"]:
        yield BLUETOOTH.wrong(
            f"The gateway cannot use Bluetooth ({state['trouble']}): its devices cannot connect; plug the adapter in, "
            "or see systemctl status bluetooth; the gateway goes on trying."
        )
    else:
        yield BLUETOOTH.well(
            f"The adapter is up; {state['connected']} of {state['paired']} paired devices are connected."
        )
    for each in state["troubles"]:
        yield BLUETOOTH.unwise(f"{each['name'] or each['address']}: {each['trouble'].rstrip('.')}.")
    if state["without_bond"]:
        yield BLUETOOTH.unwise(
            f"{state['without_bond']} devices are paired without a bond: any sender with the address of one is taken "
            "for it; replace them by models that bond where you can (argus-gateway ble list names them)."
        )


def machine_findings(adapter: str | None, dbus_socket: Path, adapters: Path, switches: Path) -> Iterator[Finding]:
    """Yield findings about BlueZ and the adapter, from the D-Bus socket and sysfs."""
    found = sorted(each.name for each in adapters.glob("hci*") if ":" not in each.name) if adapters.is_dir() else []
    if not found or (adapter is not None and adapter not in found):
        there = f"there are {', '.join(found)}" if found else "there is none"
        yield BLUETOOTH.wrong(
            f"The machine has no Bluetooth adapter {adapter or ''}".rstrip()
            + f" ({there}): no Bluetooth device can connect; plug one in, or correct [ble] adapter."
        )
    elif _blocked(switches):
        yield BLUETOOTH.wrong(
            "Bluetooth is switched off by rfkill: no Bluetooth device can connect; run rfkill unblock bluetooth, or "
            "move the machine's switch."
        )
    elif not dbus_socket.exists():
        yield BLUETOOTH.wrong(
            f"{dbus_socket} is not there: BlueZ cannot be reached and no Bluetooth device can connect; install and "
            "start dbus and bluez."
        )
    else:
        yield BLUETOOTH.well(f"The machine has {', '.join(found)}; which device is there the gateway knows.")


def _blocked(switches: Path) -> bool:
    for switch in switches.glob("rfkill*"):
        try:
            if (switch / "type").read_text().strip() == "bluetooth" and (
                (switch / "soft").read_text().strip() == "1" or (switch / "hard").read_text().strip() == "1"
            ):
                return True
        except OSError:
            continue
    return False
