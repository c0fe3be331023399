"""BlueZ, the Bluetooth stack of Linux: bleak's backend, and D-Bus calls for what bleak has no API for.

D-Bus, bluetoothd or the adapter may be missing at the start and may disappear at any time: `open` names the missing
one, and `wait_until_lost` returns when one disappears. bleak is not notified when bluetoothd dies, and its clients
still show as connected. So `close` also drops bleak's own D-Bus connection and its cached state.

bluetoothd keeps the bonds (`/var/lib/bluetooth`), so `bonds_dir` is not used. Set `ControllerMode = le` in its
main.conf where a device has classic Bluetooth too: bluetoothd may otherwise connect over it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from bleak import BleakClient, BleakScanner
from bleak.backends.bluezdbus import manager as bleak_manager
from bleak.backends.bluezdbus.scanner import BleakScannerBlueZDBus
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakDBusError
from dbus_fast import Variant

from gateway.transports.ble.stack import BleUnavailable, Found, Lost, PairingAgent
from gateway.transports.bluez.agent import AGENT_PATH, CAPABILITY, BluezAgent
from gateway.transports.bluez.bus import ADAPTER, DEVICE, BluezBus, Objects
from gateway.transports.bluez.client import BluezClient, Rounds

_AGENTS = "org.bluez.AgentManager1"
_ROOT = "/org/bluez"

log = structlog.get_logger(__name__)


class BluezBackend:
    """Implementation of `BleBackend`. `adapter`: a name such as hci1, or the adapter's address; None: the first."""

    def __init__(self, adapter: str | None, bonds_dir: Path) -> None:
        self._wanted = adapter
        self._bus: BluezBus | None = None
        self._path = ""
        self._why = ""
        self._ended = asyncio.Event()
        self._cycling = False
        self._rounds: dict[str, Rounds] = {}

    async def open(self, agent: PairingAgent) -> None:
        """Connect to bluetoothd, choose the adapter, switch it on, and register the agent for pairing."""
        await self.close()
        self._why = ""
        self._ended = asyncio.Event()
        bus = self._bus = await BluezBus.connected(self._went, self._removed, self._changed)
        self._path = _adapter_of(await bus.objects(), self._wanted)
        await self._power(on=True)
        bus.bus.export(AGENT_PATH, BluezAgent(agent, self._address_of))
        try:
            await bus.call(_ROOT, _AGENTS, "RegisterAgent", "os", AGENT_PATH, CAPABILITY)
            await bus.call(_ROOT, _AGENTS, "RequestDefaultAgent", "o", AGENT_PATH)
        except BleakDBusError as error:
            # Devices that are already paired work without it; pairing does not.
            log.warning("ble.agent_not_registered", why=str(error))

    async def close(self) -> None:
        bus, self._bus = self._bus, None
        if bus is None:
            return
        self._ended.set()
        # Our agent is removed with its connection.
        await bus.close()
        # bleak has one connection for each event loop and no call that ends it. Its cached state of a dead daemon
        # (connected devices, tables of services) would be believed after the next start.
        remembered = bleak_manager._global_instances.get(asyncio.get_running_loop())
        if remembered is not None and remembered._bus is not None:
            remembered._bus.disconnect()

    async def wait_until_lost(self) -> str:
        ended = asyncio.ensure_future(self._ended.wait())
        broken = asyncio.ensure_future(self._reached().broken())
        try:
            await asyncio.wait({ended, broken}, return_when=asyncio.FIRST_COMPLETED)
            return self._why or (broken.result() if broken.done() else "the adapter was closed")
        finally:
            ended.cancel()
            broken.cancel()

    def scanner(self, found: Found, service_uuids: Sequence[str] = ()) -> BleakScanner:
        def heard(device: BLEDevice, advertisement: AdvertisementData) -> None:
            # bleak also calls when a device connects, pairs or is lost; only a received advertisement has a strength.
            if "RSSI" in advertisement.platform_data[1]:
                found(device, advertisement)

        return BleakScanner(
            heard,
            list(service_uuids) or None,
            "active",
            bluez={"adapter": self._name},
            backend=BleakScannerBlueZDBus,
        )

    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        return BluezClient(device, lost, self._name, lambda: self.bonded(device.address), self._watched)

    async def bonded(self, address: str) -> bool:
        _, device = await self._device(address)
        # Older daemons have no Bonded: there, every paired device is bonded.
        return bool(device.get("Bonded", device.get("Paired", False)))

    async def forget(self, address: str) -> None:
        path, _ = await self._device(address)
        if not path:
            return
        try:
            await self._reached().call(self._path, ADAPTER, "RemoveDevice", "o", path)
        except BleakDBusError as error:
            if not error.dbus_error.endswith("DoesNotExist"):
                raise

    async def connected(self) -> Sequence[str]:
        devices = self._devices(await self._reached().objects())
        return [str(device["Address"]) for device in devices.values() if device.get("Connected")]

    async def disconnect(self, address: str) -> None:
        path, _ = await self._device(address)
        if path:
            await self._reached().call(path, DEVICE, "Disconnect")

    async def power_cycle(self) -> None:
        self._cycling = True
        try:
            await self._power(on=False)
            await self._power(on=True)
        finally:
            self._cycling = False

    @property
    def _name(self) -> str:
        return self._path.rpartition("/")[2]

    def _reached(self) -> BluezBus:
        if self._bus is None:
            raise BleUnavailable("the adapter is not open")
        return self._bus

    async def _power(self, *, on: bool) -> None:
        bus = self._reached()
        try:
            if await bus.property_of(self._path, ADAPTER, "Powered") != on:
                await bus.set_property(self._path, ADAPTER, "Powered", Variant("b", on))
        except BleakDBusError as error:
            raise BleUnavailable(
                f"the adapter {self._name} cannot be switched {'on' if on else 'off'} ({error}): no Bluetooth device "
                "can connect; see that nothing blocks it (rfkill list; rfkill unblock bluetooth), or unplug it and "
                "plug it in again"
            ) from error

    def _devices(self, objects: Objects) -> dict[str, dict[str, Any]]:
        below = f"{self._path}/"
        return {path: it[DEVICE] for path, it in objects.items() if path.startswith(below) and DEVICE in it}

    async def _device(self, address: str) -> tuple[str, dict[str, Any]]:
        """Return a device's path and properties; ("", {}) where BlueZ does not know it. The device is found by its
        address property, because the path keeps the address under which a device with changing addresses was first
        found."""
        for path, device in self._devices(await self._reached().objects()).items():
            if str(device["Address"]).upper() == address.upper():
                return path, device
        return "", {}

    async def _address_of(self, path: str) -> str:
        return str(await self._reached().property_of(path, DEVICE, "Address")).upper()

    @asynccontextmanager
    async def _watched(self, path: str, rounds: Rounds) -> AsyncIterator[None]:
        self._rounds[path] = rounds
        try:
            async with self._reached().watching(path):
                yield
        finally:
            del self._rounds[path]

    def _went(self, why: str) -> None:
        if not self._ended.is_set():
            self._why = why
            self._ended.set()

    def _removed(self, path: str) -> None:
        if path == self._path:
            self._went(f"the adapter {self._name} was removed")

    def _changed(self, path: str, interface: str, properties: Mapping[str, Any]) -> None:
        if interface == ADAPTER:
            if path == self._path and properties.get("Powered") is False and not self._cycling:
                self._went(f"the adapter {self._name} was switched off")
        elif path in self._rounds:
            self._rounds[path].changed(properties)


def _adapter_of(objects: Objects, wanted: str | None) -> str:
    """Return the path of the adapter with the name or address `wanted`. If `wanted` is None, return the path of the
    first adapter that supports LE. Raises BleUnavailable."""
    adapters = {path: it[ADAPTER] for path, it in sorted(objects.items()) if ADAPTER in it}
    # Older daemons have no Roles.
    central = {path: it for path, it in adapters.items() if "central" in it.get("Roles", ["central"])}
    if wanted is None and central:
        return next(iter(central))
    for path, it in adapters.items():
        if wanted is not None and wanted.upper() in (path.rpartition("/")[2].upper(), str(it["Address"]).upper()):
            return path
    names = ", ".join(f"{path.rpartition('/')[2]} ({it['Address']})" for path, it in adapters.items())
    what = "a Bluetooth adapter for LE" if wanted is None else f"a Bluetooth adapter {wanted}"
    raise BleUnavailable(
        f"there is not {what} ({f'there is {names}' if names else 'there is none at all'}): no Bluetooth device can "
        "connect; plug one in, or correct adapter in [ble]"
    )
