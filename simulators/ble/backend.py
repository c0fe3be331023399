"""Virtual radio as a Bluetooth stack of the gateway: `ble_backend = "simulators.ble.backend:VirtualRadio"`.

The gateway's code and plain bleak run unchanged on the virtual radio. `adapter` is the path of the socket of a radio
process (module `radio`). The module `central` does the work of BlueZ (bonds, encryption, the pairing agent). Bonds are
kept in the folder `bonds_dir` (module `bonds`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bumble import core, hci

from gateway.transports.ble.stack import BleUnavailable, Found, Lost, PairingAgent
from simulators.ble.attach import Air, NoRadio, Station, attach
from simulators.ble.bonds import BondFile, BondsUnusable
from simulators.ble.central import Central
from simulators.ble.client import VirtualClient
from simulators.ble.scanner import VirtualScanner

# Limit for all disconnects of a close together; a radio process that hangs must not block the gateway.
_CLOSE_S = 2.0


class VirtualRadio:
    """One adapter on the virtual radio: an implementation of `gateway.transports.ble.stack.BleBackend`."""

    def __init__(self, adapter: str | None, bonds_dir: Path) -> None:
        self._adapter = adapter
        self._bonds_dir = bonds_dir
        self._agent: PairingAgent | None = None
        self._central: Central | None = None

    def air(self) -> Air:
        """Return the simulated radio: the ether itself (in tests), or the path of the radio's socket. Raises
        BleUnavailable without an adapter."""
        if not self._adapter:
            raise BleUnavailable("the virtual radio has no default adapter; name the socket of a radio process")
        return Path(self._adapter)

    async def open(self, agent: PairingAgent) -> None:
        await self.close()
        try:
            bonds = BondFile.open(self._bonds_dir)
            station = await attach(self.air(), "argus", bonds.address, keys=bonds, irk=bonds.irk)
        except (NoRadio, BondsUnusable) as error:
            raise BleUnavailable(str(error)) from error
        self._agent = agent
        self._central = Central(station, bonds, agent)

    async def close(self) -> None:
        central, self._central = self._central, None
        if central is None:
            return
        try:
            if central.up:
                async with asyncio.timeout(_CLOSE_S):
                    for link in central.links():
                        await central.part(link)
        except TimeoutError:
            pass  # the radio hangs; detaching from it ends the links as well
        finally:
            central.station.close()

    async def wait_until_lost(self) -> str:
        central = self._central
        if central is not None:
            await central.station.wait_closed()
        return "the virtual radio has gone"

    def scanner(self, found: Found, service_uuids: Sequence[str] = ()) -> BleakScanner:
        return BleakScanner(found, list(service_uuids) or None, "active", backend=VirtualScanner, central=self._central)

    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        return BleakClient(device, lost, backend=VirtualClient, central=self._central)

    async def bonded(self, address: str) -> bool:
        return self._open().bonds.has(address)

    async def forget(self, address: str) -> None:
        central = self._open()
        try:
            await central.forget(address)
        except BondsUnusable as error:
            raise BleUnavailable(str(error)) from error
        await self.disconnect(address)

    async def connected(self) -> Sequence[str]:
        """Return the addresses of the devices connected to this process. A process that has ended leaves no links
        behind, since the radio removes the links of a closed socket."""
        central = self._central
        return () if central is None else [link.peer_address.to_string(False) for link in central.links()]

    async def disconnect(self, address: str) -> None:
        central = self._open()
        link = central.link_to(address)
        if link is not None:
            await central.part(link)

    async def power_cycle(self) -> None:
        central = self._open()
        station: Station = central.station
        try:
            await station.reset()
        except (core.BaseBumbleError, hci.HCI_Error, TimeoutError) as error:
            raise BleUnavailable(f"the virtual radio does not answer ({type(error).__name__})") from error
        central.on_advertisement = None

    def _open(self) -> Central:
        if self._central is None:
            raise BleUnavailable("the virtual radio is not open")
        return self._central
