"""bleak's client for BlueZ, extended to recognise a device that has lost its bond.

BlueZ does not report a lost bond: the device has no key, the link breaks, and both BlueZ and bleak connect again up to
the time-out. The visible sign is a bonded device that repeatedly connects and disconnects and never shows its services.
Interference causes that once or twice; after ROUNDS_MAX disconnections the keys are taken to be the cause.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from bleak import BleakClient
from bleak.backends.bluezdbus.client import BleakClientBlueZDBus
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError

from gateway.transports.ble.stack import Lost

ROUNDS_MAX = 3


class Rounds:
    """Counter of a device's disconnections during one connect. `enough()` is called at disconnection
    number ROUNDS_MAX."""

    def __init__(self, enough: Callable[[], None]) -> None:
        self.count = 0
        self.over = False
        """True when the connect has ended; later changes end nothing."""
        self._connected = False
        self._enough = enough

    def changed(self, properties: Mapping[str, Any]) -> None:
        """Count a disconnection if the changed properties show one."""
        connected = properties.get("Connected")
        if connected is None:
            return
        if self._connected and not connected:
            self.count += 1
            if self.count >= ROUNDS_MAX and not self.over:
                self._enough()
        self._connected = connected


class BluezClient(BleakClient):
    """Client for BlueZ. `bonded()` returns whether BlueZ holds keys of the device. `watched(path, rounds)` reports the
    changed properties of the device at `path` to `rounds`."""

    def __init__(
        self,
        device: BLEDevice,
        lost: Lost,
        adapter: str,
        bonded: Callable[[], Awaitable[bool]],
        watched: Callable[[str, Rounds], AbstractAsyncContextManager[None]],
    ) -> None:
        super().__init__(device, disconnected_callback=lost, bluez={"adapter": adapter}, backend=BleakClientBlueZDBus)
        self._path = str(device.details["path"])
        self._bonded = bonded
        self._watched = watched

    async def connect(self, **kwargs: Any) -> None:
        """Connect the device. Raises BleakError "PIN or Key Missing" where the device has lost its bond."""
        if not await self._bonded():
            await super().connect(**kwargs)
            return
        loop = asyncio.get_running_loop()
        cut = asyncio.timeout(None)
        rounds = Rounds(lambda: None if cut.expired() else cut.reschedule(loop.time()))
        try:
            async with self._watched(self._path, rounds), cut:
                try:
                    await super().connect(**kwargs)
                finally:
                    rounds.over = True
        except (TimeoutError, BleakError) as error:
            if rounds.count >= ROUNDS_MAX:
                raise BleakError("PIN or Key Missing: the link breaks whenever it is encrypted") from error
            raise
