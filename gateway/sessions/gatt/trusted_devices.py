"""Bluetooth devices that an operator has paired with this gateway, and those of them that may be served now.

A device is served only while it is in the store's list; one that advertises its name, or that the stack knows from
before, is not. While a device is paired again it is withheld: nothing is accepted from it until its new keys are
stored.
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
    """The list in memory, for one event loop; every change is durable before it counts."""

    def __init__(self, store: Buffer) -> None:
        self._store = store
        self._devices: dict[str, PairedDevice] = {}
        self._withheld = ""
        self._wakes: WeakSet[asyncio.Event] = WeakSet()

    def load(self, devices: Iterable[PairedDevice]) -> None:
        """Load the devices that were durable when the gateway started."""
        self._devices = {device.address: device for device in devices}

    def follow(self, stored: Iterable[PairedDevice]) -> list[PairedDevice]:
        """Add the devices that a new store names, and return those that it lacks."""
        named = {device.address: device for device in stored}
        lacking = [device for address, device in self._devices.items() if address not in named]
        self._devices = {**named, **self._devices}
        self._wake()
        return lacking

    @property
    def paired(self) -> list[PairedDevice]:
        """Every paired device, the one paired longest ago first."""
        return sorted(self._devices.values(), key=lambda each: (each.paired_us, each.address))

    @property
    def is_full(self) -> bool:
        """True when no further device may be paired."""
        return len(self._devices) >= PAIRED_MAX

    def devices(self) -> list[PairedDevice]:
        """Return the devices to serve now."""
        return [each for each in self.paired if each.address != self._withheld]

    def find(self, address: str) -> PairedDevice | None:
        """Return the paired device with this address, also while it is withheld."""
        return self._devices.get(address)

    def trusted(self, address: str) -> PairedDevice | None:
        """Return the paired device with this address; None while it is withheld. Nothing may be accepted from a device
        without it."""
        return None if address == self._withheld else self._devices.get(address)

    def namesakes(self, address: str, name: str) -> list[PairedDevice]:
        """Return paired devices with this name and another address."""
        folded = name.casefold()
        return [each for each in self.paired if folded and each.name.casefold() == folded and each.address != address]

    def wait_for_change(self) -> asyncio.Event:
        """Return an event for one caller that every change from now on sets: clear it, check, and wait."""
        wake = asyncio.Event()
        self._wakes.add(wake)
        return wake

    def withhold(self, address: str) -> None:
        """Stop serving this device until `release`, because it is being paired."""
        self._withheld = address
        self._wake()

    def release(self) -> None:
        """End `withhold`."""
        self._withheld = ""
        self._wake()

    async def add(self, device: PairedDevice) -> None:
        """Store a device that was paired. Raises StoreFull, TooManyPaired."""
        await self._store.remember_ble_device(device)
        self._devices[device.address] = device

    async def remove(self, address: str) -> None:
        """Remove a device. Raises StoreFull."""
        await self._store.forget_ble_device(address)
        self._devices.pop(address, None)
        self._wake()

    async def identify(self, address: str, system_id: str) -> None:
        """Store the system id of a served device: operators see it, and another device at this address is noticed."""
        known = self._devices.get(address)
        if known is None or known.system_id == system_id:
            return
        self._devices[address] = replace(known, system_id=system_id)
        with suppress(StoreFull):
            await self._store.remember_ble_device(self._devices[address])

    def _wake(self) -> None:
        for wake in list(self._wakes):
            wake.set()
