"""The seam to a Bluetooth stack: what the gateway asks of it beyond bleak's own calls.

The gateway speaks plain `bleak` everywhere; a backend only says which scanner and client class bleak shall use, and
answers what bleak has no words for: whether an adapter is there and comes back, whether a bond stands, who may pair.
BlueZ is one backend (`bluez`), the virtual radio of the simulators another; the setting `ble_backend` names the class
(`ble_backend.load_ble_backend`).
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
    """There is no usable adapter or stack now; the text says what is missing and what to do. It may come back."""


class PairingAgent(Protocol):
    """Responds to the stack while two devices pair. Both calls may take as long as an operator needs; the stack's own
    limit is 30 s."""

    async def passkey(self, address: str) -> int | None:
        """The six digits that the device shows; None: there are none, so pairing fails."""

    async def confirm(self, address: str, passkey: int | None) -> bool:
        """Whether this device may pair now: only one that a person has just asked for. `passkey` is what both show,
        None for just works."""


class BleBackend(Protocol):
    """One adapter. Made with `(adapter, bonds_dir)`; the class is what `ble_backend` names."""

    def __init__(self, adapter: str | None, bonds_dir: Path) -> None:
        """`adapter` None: the first one. `bonds_dir`: where a stack that keeps no bonds of its own keeps them."""

    async def open(self, agent: PairingAgent) -> None:
        """Reach the stack and its adapter, powered. Raises `BleUnavailable`. May be called again after `close`."""

    async def close(self) -> None:
        """Let go of everything; safe in any state."""

    async def gone(self) -> str:
        """Return when the adapter or the stack has gone since `open`, with the reason in words."""

    def scanner(self, found: Found, service_uuids: Sequence[str] = ()) -> BleakScanner:
        """Active; one at a time."""

    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        """A new client, not yet connected."""

    async def bonded(self, address: str) -> bool:
        """Whether the stack holds keys of this device. Of a bonded device every attribute access is encrypted with
        them: a peer without them is disconnected by the stack and gives no data."""

    async def forget(self, address: str) -> None:
        """Drop keys and whatever the stack has cached of this device. Nothing happens where there is none."""

    async def connected(self) -> Sequence[str]:
        """Addresses of devices that are connected now, also by a process that is gone."""

    async def disconnect(self, address: str) -> None:
        """End a connection that no client of ours holds."""

    async def power_cycle(self) -> None:
        """Switch the adapter off and on: the last means against a wedged one. Raises `BleUnavailable`."""
