"""Interface to a Bluetooth stack: what the gateway needs beyond bleak's API.

A backend names the scanner class and the client class for bleak, and adds what bleak lacks: whether an adapter exists
and returns, whether a bond exists, and which device may pair. BlueZ is one backend (`bluez`), the virtual radio of the
simulators another.
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
    """Responder to the stack's requests during a pairing. An operator may take as long as the stack allows: 30 s."""

    async def passkey(self, address: str) -> int | None:
        """Return the six digits that the device shows. None makes the pairing fail."""

    async def confirm(self, address: str, passkey: int | None) -> bool:
        """Return whether this device may pair now: true only if an operator has just requested it. `passkey`: the
        number that both sides show; None: Just Works."""


class BleBackend(Protocol):
    """One adapter of a Bluetooth stack. The setting `ble_backend` names the class."""

    def __init__(self, adapter: str | None, bonds_dir: Path) -> None:
        """Make the backend. `adapter` None: the first adapter of the machine. `bonds_dir`: folder for the bonds, used
        by a stack that does not store them itself."""

    async def open(self, agent: PairingAgent) -> None:
        """Connect to the stack and switch the adapter on; may be repeated after `close`. Raises `BleUnavailable`."""

    async def close(self) -> None:
        """Release all resources. May be called in any state."""

    async def wait_until_lost(self) -> str:
        """Wait until the adapter or the stack has disappeared since `open`, and return the reason in words."""

    def scanner(self, found: Found, service_uuids: Sequence[str] = ()) -> BleakScanner:
        """Return an active scanner that calls `found` for each advertisement. Only one scanner may run at a time."""

    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        """Return a new client for the device, not yet connected. The client calls `lost` when its link breaks."""

    async def bonded(self, address: str) -> bool:
        """Return whether the stack holds keys for this device. With keys, the stack encrypts the link, and disconnects
        a peer that lacks the keys before any attribute is read."""

    async def forget(self, address: str) -> None:
        """Delete the stack's keys and cache for this device. Do nothing where the device is unknown."""

    async def connected(self) -> Sequence[str]:
        """Return the addresses of all connected devices, including devices that an ended process connected."""

    async def disconnect(self, address: str) -> None:
        """Disconnect a device that no client of this process has connected."""

    async def power_cycle(self) -> None:
        """Switch the adapter off and on, the last remedy for an adapter that hangs. Raises `BleUnavailable`."""
