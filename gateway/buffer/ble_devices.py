"""Bluetooth devices that an operator has paired, in a list that does not depend on the files of a Bluetooth stack.

A stack (BlueZ, the virtual radio) keeps the keys. This list keeps the addresses and names of the gateway's devices, and
whether each was paired with a bond. The gateway connects only to devices in this list, even when the stack has a bond
with another device.
"""

import sqlite3
from dataclasses import dataclass

from gateway.buffer.statements import BLE_DEVICES
from gateway.buffer.store import Store

PAIRED_MAX = 64
"""Maximum number of paired devices: far more than a vehicle carries. Each device has a task that waits until the device
advertises."""


class TooManyPaired(Exception):
    """The limit of paired devices is reached; the text is for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDevice:
    """A Bluetooth device that an operator has paired. `address`: upper case, AA:BB:CC:DD:EE:FF. `name`: as advertised,
    printable, never trusted. `system_id`: 16 hex digits, empty until the first connection. `bonded`: the device was
    paired with a bond and is used only while the bond exists. `services`: 16-bit UUIDs of its supported services.
    `paired_us`: wall-clock time of the pairing."""

    address: str
    name: str
    system_id: str
    bonded: bool
    paired_us: int
    services: tuple[int, ...]


def ble_devices(connection: sqlite3.Connection) -> list[PairedDevice]:
    return [
        PairedDevice(
            address=address,
            name=name,
            system_id=system_id,
            bonded=bool(bonded),
            paired_us=paired_us,
            services=tuple(int(number, 16) for number in services.split()),
        )
        for address, name, system_id, bonded, services, paired_us in connection.execute(BLE_DEVICES["ble_devices"])
    ]


def remember_ble_device(store: Store, device: PairedDevice) -> None:
    """Store `device`; it is durable on return. Raises TooManyPaired or StoreFull, and changes nothing in both cases."""
    services = " ".join(f"{number:04x}" for number in device.services)
    row = (device.address, device.name, device.system_id, int(device.bonded), services, device.paired_us)
    with store.transaction():
        others = store.connection.execute(BLE_DEVICES["count_other_ble_devices"], (device.address,)).fetchone()[0]
        if others >= PAIRED_MAX:
            raise TooManyPaired(
                f"{PAIRED_MAX} Bluetooth devices are paired, which is as many as may be: "
                "forget one that is no longer used (argus-gateway ble list, argus-gateway ble forget ADDRESS)"
            )
        store.connection.execute(BLE_DEVICES["remember_ble_device"], row)


def forget_ble_device(store: Store, address: str) -> None:
    with store.transaction():
        store.connection.execute(BLE_DEVICES["forget_ble_device"], (address,))
