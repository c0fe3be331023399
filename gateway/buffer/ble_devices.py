"""Which Bluetooth devices a person has paired: the store's own list, because trust must not depend on a stack's files.

A stack (BlueZ, the virtual radio) keeps the keys; here it says which devices are ours, what they are called and whether
they were paired with a bond at all. A device that is not in this list is never connected to, whatever the stack knows.
"""

import sqlite3
from dataclasses import dataclass

from gateway.buffer.statements import BLE_DEVICES
from gateway.buffer.store import Store

PAIRED_MAX = 64
"""Far more than a vehicle carries; each costs a task that waits for it."""


class TooManyPaired(Exception):
    """As many devices are paired as may be; the text says so for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDevice:
    """One device that a person has paired.

    `address`: upper case, AA:BB:CC:DD:EE:FF. `name`: as advertised, printable, never trusted. `system_id`: 16 hex
    digits, empty until it was first met. `bonded`: paired with a bond, so it is used only while that stands.
    `services`: 16-bit UUIDs of those that we understand. `paired_us`: the gateway's wall clock.
    """

    address: str
    name: str
    system_id: str
    bonded: bool
    paired_us: int
    services: tuple[int, ...]


def ble_devices(connection: sqlite3.Connection) -> list[PairedDevice]:
    """All of them, the one paired longest ago first."""
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
    """Durable when this returns. Raises TooManyPaired, StoreFull, and then nothing changed."""
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
    """Nothing happens where it is not paired."""
    with store.transaction():
        store.connection.execute(BLE_DEVICES["forget_ble_device"], (address,))
