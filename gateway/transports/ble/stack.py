"""Interface to a Bluetooth stack: what the gateway needs beyond bleak's API.

The gateway uses plain `bleak` everywhere. A backend names the scanner class and the client class for bleak, and adds
what bleak lacks: whether an adapter exists and returns, whether a bond exists, and which device may pair. BlueZ is one
backend (`bluez`), the virtual radio of the simulators another. The setting `ble_backend` names the class
(`backend.load_ble_backend`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

Found: TypeAlias = Callable[[BLEDevice, AdvertisementData], None]
Lost: TypeAlias = Callable[[BleakClient], None]


class BleUnavailable(Exception):
    """There is no usable adapter or stack now; the text names what is missing and what to do. It may come back."""


class PairingAgent(Protocol):
    """Responds to the stack's requests during a pairing. A call may take as long as an operator needs; the stack's own
    limit is 30 s."""

    async def passkey(self, address: str) -> int | None:
        """Return the six digits that the device shows. None makes the pairing fail."""

    async def confirm(self, address: str, passkey: int | None) -> bool:
        """Return whether this device may pair now: true only if an operator has just requested it. `passkey` is the
        number that both sides show, None for Just Works."""


class BleBackend(Protocol):
    """One adapter of a Bluetooth stack. The setting `ble_backend` names the class."""

    def __init__(self, adapter: str | None, bonds_dir: Path) -> None:
        """Make the backend. `adapter` None selects the first adapter. A stack that keeps no bonds itself keeps them in
        the folder `bonds_dir`."""

    async def open(self, agent: PairingAgent) -> None:
        """Connect to the stack and switch the adapter on. May be called again after `close`. Raises
        `BleUnavailable`."""

    async def close(self) -> None:
        """Release all resources. May be called in any state."""

    async def wait_until_lost(self) -> str:
        """Wait until the adapter or the stack has disappeared since `open`, and return the reason in words."""

    def scanner(self, found: Found, service_uuids: Sequence[str] = ()) -> BleakScanner:
        """Return an active scanner that calls `found` for each advertisement. Only one scanner may run at a time."""

    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        """Return a new client that is not connected. It calls `lost` when its link breaks."""

    async def bonded(self, address: str) -> bool:
        """Return whether the stack holds bond keys for this device. The stack encrypts the link to a bonded device, and
        disconnects a peer that does not have the keys before any attribute is read."""

    async def forget(self, address: str) -> None:
        """Delete the stack's keys and cache for this device. Do nothing where the device is unknown."""

    async def connected(self) -> Sequence[str]:
        """Return the addresses of all connected devices, including devices that an ended process connected."""

    async def disconnect(self, address: str) -> None:
        """Disconnect a device that no client of this process has connected."""

    async def power_cycle(self) -> None:
        """Switch the adapter off and on, the last remedy for an adapter that hangs. Raises `BleUnavailable`."""
