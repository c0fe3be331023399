"""Bluetooth devices that an operator has paired with this gateway, and those of them that may be connected now.

A device is connected only while it is in the store's list. A device with the same advertised name, or one that only the
Bluetooth stack knows, is not connected. From a device that is being paired again, nothing is accepted before its new
keys are stored.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from weakref import WeakSet

from gateway.buffer import Buffer
from gateway.buffer.ble_devices import PAIRED_MAX, PairedDevice
from gateway.buffer.errors import StoreFull


class TrustedDevices:
    """The list of paired devices in memory, for one event loop. Every change is durable before it takes effect."""

    def __init__(self, store: Buffer) -> None:
        self._store = store
        self._devices: dict[str, PairedDevice] = {}
        self._withheld = ""
        self._wakes: WeakSet[asyncio.Event] = WeakSet()

    def load(self, devices: Iterable[PairedDevice]) -> None:
        """Load the devices that were durable when the gateway started."""
        self._devices = {device.address: device for device in devices}

    def follow(self, stored: Iterable[PairedDevice]) -> list[PairedDevice]:
        """Add the paired devices of a new store to the list in memory. Return the devices of the list that the new
        store lacks."""
        named = {device.address: device for device in stored}
        lacking = [device for address, device in self._devices.items() if address not in named]
        self._devices = {**named, **self._devices}
        self._wake()
        return lacking

    @property
    def paired(self) -> list[PairedDevice]:
        """Every paired device; the device paired longest ago comes first."""
        return sorted(self._devices.values(), key=lambda each: (each.paired_us, each.address))

    @property
    def is_full(self) -> bool:
        return len(self._devices) >= PAIRED_MAX

    def devices(self) -> list[PairedDevice]:
        """Return the devices that may be connected now: all except one that is being paired again."""
        return [each for each in self.paired if each.address != self._withheld]

    def find(self, address: str) -> PairedDevice | None:
        """Return the paired device with this address, even while it is being paired again, or None."""
        return self._devices.get(address)

    def trusted(self, address: str) -> PairedDevice | None:
        """Return the paired device with this address if values may be accepted from it. Return None if it is not paired
        or is being paired again."""
        return None if address == self._withheld else self._devices.get(address)

    def namesakes(self, address: str, name: str) -> list[PairedDevice]:
        """Return the paired devices with the name `name`, in upper or lower case, whose address is not `address`."""
        folded = name.casefold()
        return [each for each in self.paired if folded and each.name.casefold() == folded and each.address != address]

    def wait_for_change(self) -> asyncio.Event:
        """Return a new event that is set when the list of devices that may be connected changes. The caller clears the
        event before checking the list."""
        wake = asyncio.Event()
        self._wakes.add(wake)
        return wake

    def withhold(self, address: str) -> None:
        """Accept nothing from the device at `address` until `release` is called, because the device is being paired."""
        self._withheld = address
        self._wake()

    def release(self) -> None:
        """Accept values again from the device that `withhold` has excluded."""
        self._withheld = ""
        self._wake()

    async def add(self, device: PairedDevice) -> None:
        """Store a device that was paired, and add it to the list. Raises StoreFull, TooManyPaired."""
        await self._store.remember_ble_device(device)
        self._devices[device.address] = device

    async def remove(self, address: str) -> None:
        """Remove a device from the store and from the list of paired devices. Raises StoreFull."""
        await self._store.forget_ble_device(address)
        self._devices.pop(address, None)
        self._wake()

    async def identify(self, address: str, system_id: str) -> None:
        """Store the system id that the device at `address` has reported. Operators see the id, and a different id later
        shows that another device has this address. On a full disk, the id is only kept in memory."""
        known = self._devices.get(address)
        if known is None or known.system_id == system_id:
            return
        self._devices[address] = replace(known, system_id=system_id)
        with suppress(StoreFull):
            await self._store.remember_ble_device(self._devices[address])

    def _wake(self) -> None:
        for wake in list(self._wakes):
            wake.set()
