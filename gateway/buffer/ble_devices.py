"""Bluetooth devices that an operator has paired. The store keeps its own list, because trust must not depend on a
stack's files.

A stack (BlueZ, the virtual radio) keeps the keys. This list holds which devices are ours, their names, and whether they
were paired with a bond at all. The gateway never connects to a device outside this list, whatever the stack knows.
"""

import sqlite3
from dataclasses import dataclass

from gateway.buffer.statements import BLE_DEVICES
from gateway.buffer.store import Store

PAIRED_MAX = 64
"""Maximum of paired devices: far more than a vehicle carries. Each costs a task that waits for it."""


class TooManyPaired(Exception):
    """The limit of paired devices is reached; the text is for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDevice:
    """One device that an operator has paired.

    `address`: upper case, AA:BB:CC:DD:EE:FF. `name`: as advertised, printable, never trusted. `system_id`: 16 hex
    digits, empty until the first connection. `bonded`: paired with a bond, so it is used only while the bond exists.
    `services`: 16-bit UUIDs of its supported services. `paired_us`: the gateway's wall clock.
    """

    address: str
    name: str
    system_id: str
    bonded: bool
    paired_us: int
    services: tuple[int, ...]


def ble_devices(connection: sqlite3.Connection) -> list[PairedDevice]:
    """Return all paired devices, the one paired longest ago first."""
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
    """Store `device`; it is durable on return. Raises TooManyPaired or StoreFull, and then nothing has changed."""
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
    """Remove the device at `address`. Do nothing when it is not paired."""
    with store.transaction():
        store.connection.execute(BLE_DEVICES["forget_ble_device"], (address,))
