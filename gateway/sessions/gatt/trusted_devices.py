"""Bluetooth devices that an operator has paired with this gateway, and those of them that may be connected now.

A device is connected only while it is in the store's list. A device that advertises the same name, or that only the
Bluetooth stack knows, is not connected. While a device is paired again, nothing is accepted from it until its new keys
are stored.
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
        """Take over the list of a new store: add the devices in `stored`, and return the known devices that it
        lacks."""
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
        """True when no further device may be paired."""
        return len(self._devices) >= PAIRED_MAX

    def devices(self) -> list[PairedDevice]:
        """Return the devices that may be connected now: all paired devices except one that is being paired again."""
        return [each for each in self.paired if each.address != self._withheld]

    def find(self, address: str) -> PairedDevice | None:
        """Return the paired device with this address, even while it is being paired again. None: it is not paired."""
        return self._devices.get(address)

    def trusted(self, address: str) -> PairedDevice | None:
        """Return the paired device with this address. None: nothing may be accepted from the device, because it is not
        paired or is being paired again."""
        return None if address == self._withheld else self._devices.get(address)

    def namesakes(self, address: str, name: str) -> list[PairedDevice]:
        """Return the paired devices with the same name and another address. Upper and lower case are not
        distinguished."""
        folded = name.casefold()
        return [each for each in self.paired if folded and each.name.casefold() == folded and each.address != address]

    def wait_for_change(self) -> asyncio.Event:
        """Return a new event for this caller. Every later change sets the event. The caller clears it, checks the list,
        and waits for it again."""
        wake = asyncio.Event()
        self._wakes.add(wake)
        return wake

    def withhold(self, address: str) -> None:
        """Accept nothing from this device until `release`, because it is being paired."""
        self._withheld = address
        self._wake()

    def release(self) -> None:
        """Accept the device of `withhold` again."""
        self._withheld = ""
        self._wake()

    async def add(self, device: PairedDevice) -> None:
        """Store a device that was paired, and add it to the list. Raises StoreFull, TooManyPaired."""
        await self._store.remember_ble_device(device)
        self._devices[device.address] = device

    async def remove(self, address: str) -> None:
        """Remove a device. Raises StoreFull."""
        await self._store.forget_ble_device(address)
        self._devices.pop(address, None)
        self._wake()

    async def identify(self, address: str, system_id: str) -> None:
        """Store the system id that a device has reported: operators see it, and another device at this address is
        noticed. A full store is ignored."""
        known = self._devices.get(address)
        if known is None or known.system_id == system_id:
            return
        self._devices[address] = replace(known, system_id=system_id)
        with suppress(StoreFull):
            await self._store.remember_ble_device(self._devices[address])

    def _wake(self) -> None:
        for wake in list(self._wakes):
            wake.set()
