"""Interface to a Bluetooth stack: what the gateway needs beyond bleak's own calls.

The gateway uses plain `bleak` everywhere. A backend only names the scanner and client class for bleak, and reports what
bleak has no API for: whether an adapter exists and returns, whether a bond exists, who may pair. BlueZ is one backend
(`bluez`), the virtual radio of the simulators another; the setting `ble_backend` names the class
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
    """Responds to the stack while two devices pair. Both calls may take as long as an operator needs; the stack's own
    limit is 30 s."""

    async def passkey(self, address: str) -> int | None:
        """Return the six digits that the device shows; None: there are none, so pairing fails."""

    async def confirm(self, address: str, passkey: int | None) -> bool:
        """Return whether this device may pair now: only one that an operator has just requested. `passkey` is the
        number that both show, None for Just Works."""


class BleBackend(Protocol):
    """One adapter. Made with `(adapter, bonds_dir)`; the setting `ble_backend` names the class."""

    def __init__(self, adapter: str | None, bonds_dir: Path) -> None:
        """Make the backend. `adapter` None: the first one. `bonds_dir`: the folder for a stack that keeps no bonds of
        its own."""

    async def open(self, agent: PairingAgent) -> None:
        """Connect to the stack and its adapter, powered. Raises `BleUnavailable`. May be called again after `close`."""

    async def close(self) -> None:
        """Release everything; safe in any state."""

    async def wait_until_lost(self) -> str:
        """Return when the adapter or the stack has disappeared since `open`, with the reason in words."""

    def scanner(self, found: Found, service_uuids: Sequence[str] = ()) -> BleakScanner:
        """Return an active scanner; one at a time."""

    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        """Return a new client, not yet connected."""

    async def bonded(self, address: str) -> bool:
        """Return whether the stack holds keys of this device. Every attribute access to a bonded device is encrypted
        with them: the stack disconnects a peer without them, which gives no data."""

    async def forget(self, address: str) -> None:
        """Drop keys and everything that the stack has cached of this device. Do nothing where it is unknown."""

    async def connected(self) -> Sequence[str]:
        """Return the addresses of devices that are connected now, also by a process that has ended."""

    async def disconnect(self, address: str) -> None:
        """End a connection that none of our clients holds."""

    async def power_cycle(self) -> None:
        """Switch the adapter off and on: the last remedy for a hanging one. Raises `BleUnavailable`."""
